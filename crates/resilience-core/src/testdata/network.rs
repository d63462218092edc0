//! What networks look like and how they were trained.

use super::dataset;
use crate::record::{
    DatasetRecord, EnsembleRecord, EpochRecord, LayerRecord, MemberRecord, TrainingRecord,
    ValidationRecord,
};
use crate::vote::Vote;

pub fn layer(name: &str, kind: &str, output: &[u64], parameters: u64) -> LayerRecord {
    LayerRecord {
        name: name.to_owned(),
        kind: kind.to_owned(),
        output: output.to_vec(),
        parameters,
    }
}

pub fn resilience_cnn_layers() -> Vec<LayerRecord> {
    vec![
        layer("conv1", "conv 3x3, 3 to 32, padding 1", &[32, 32, 32], 896),
        layer("relu", "ReLU", &[32, 32, 32], 0),
        layer("pool", "max pool 2x2", &[32, 16, 16], 0),
        layer("conv2", "conv 3x3, 32 to 64, padding 1", &[64, 16, 16], 18_496),
        layer("relu", "ReLU", &[64, 16, 16], 0),
        layer("pool", "max pool 2x2", &[64, 8, 8], 0),
        layer("flatten", "flatten", &[4096], 0),
        layer("fc1", "fully connected, 4096 to 128", &[128], 524_416),
        layer("relu", "ReLU", &[128], 0),
        layer("fc2", "fully connected, 128 to 10", &[10], 1290),
    ]
}

pub fn resnet_layers(blocks: u64) -> Vec<LayerRecord> {
    let mut layers = vec![
        layer("conv1", "conv 3x3, 3 to 16, padding 1", &[16, 32, 32], 432),
        layer("bn1", "batch norm", &[16, 32, 32], 32),
        layer("relu", "ReLU", &[16, 32, 32], 0),
    ];
    for (stage, channels, side) in [(1, 16, 32), (2, 32, 16), (3, 64, 8)] {
        for block in 0..blocks {
            let kind = format!("basic block, {channels} channels");
            let name = format!("layer{stage}.{block}");
            layers.push(layer(
                &name,
                &kind,
                &[channels, side, side],
                18 * channels * channels + 4 * channels,
            ));
        }
    }
    layers.push(layer("pool", "global average pool", &[64], 0));
    layers.push(layer("linear", "fully connected, 64 to 10", &[10], 650));
    layers
}

/// Five epochs of `fgsm-joint` that learn.
pub fn training() -> TrainingRecord {
    let epochs = (1..=5_u32).map(|epoch| {
        let t = f64::from(epoch);
        let clean = 1.6 / t.sqrt();
        EpochRecord {
            epoch,
            of: 5,
            loss: clean + 1.9 / t.sqrt(),
            scalars: vec![
                ("clean_loss".to_owned(), clean),
                ("adversarial_loss".to_owned(), 1.9 / t.sqrt()),
                ("clean_accuracy".to_owned(), 0.72 - 0.3 / t),
                ("adversarial_accuracy".to_owned(), 0.68 - 0.4 / t),
            ],
            learning_rate: 0.001,
            validation: Some(ValidationRecord {
                n: 1000,
                clean: 0.7 - 0.3 / t,
                fgsm: 0.66 - 0.4 / t,
                pgd: 0.61 - 0.4 / t,
            }),
            passes: 4.0,
            seconds: 31.0,
            images_per_second: 1612.0,
        }
    });
    TrainingRecord {
        recipe: "fgsm-joint".to_owned(),
        seed: 0,
        dataset: DatasetRecord { split: "train".to_owned(), ..dataset(50_000) },
        settings: [("optimiser", "adam"), ("learning rate", "0.001"), ("batch", "128")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        kept: Some(1),
        machine: None,
        epochs: epochs.collect(),
    }
}

/// A majority vote of two networks of different architectures.
pub fn ensemble() -> EnsembleRecord {
    let member = |name: &str, architecture: &str, layers: Vec<LayerRecord>| MemberRecord {
        name: name.to_owned(),
        architecture: architecture.to_owned(),
        weights_sha256: "cd".repeat(32),
        source: "a publication".to_owned(),
        mean: vec![0.5; 3],
        std: vec![0.25; 3],
        input_noise: 0.0,
        input_levels: Some(16),
        parameters: layers.iter().map(|layer| layer.parameters).sum(),
        layers,
        training: None,
    };
    EnsembleRecord {
        vote: Vote::Majority,
        differentiable: false,
        gradients_of: Vote::Probabilities,
        members: vec![
            member("Small", "resilience-cnn", resilience_cnn_layers()),
            member("Large", "resnet44", resnet_layers(7)),
        ],
    }
}
