//! Made-up records for the tests of this crate, in the proportions of real ones.

use std::path::Path;

use crate::record::{
    AttackOutcome, AttackRecord, CleanOutcome, DatasetRecord, EpochRecord, Example, LabelSource,
    LayerRecord, Machine, ModelRecord, Provenance, Tool, TrainingRecord,
};
use crate::store::RunStore;
use crate::summary::Summary;
use crate::threat::Norm;

pub const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

pub fn provenance() -> Provenance {
    Provenance {
        tool: Tool {
            name: "resilience".to_owned(),
            version: "0.1.0".to_owned(),
            libtorch: "2.11.0".to_owned(),
        },
        command: "resilience reproduce --data cifar10 --out runs/example".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        seed: 0,
        machine: Machine {
            cpu: "Example CPU @ 2.50GHz".to_owned(),
            threads: 2,
            os: "linux x86_64".to_owned(),
            device: "cpu".to_owned(),
        },
        notices: Vec::new(),
    }
}

pub fn dataset(n: usize) -> DatasetRecord {
    DatasetRecord {
        name: "cifar10".to_owned(),
        split: "test".to_owned(),
        n: n as u64,
        sha256: "5f".repeat(32),
        classes: CLASSES.map(str::to_owned).to_vec(),
    }
}

/// A number in [0, 1) for every key, the same on every machine.
pub fn chance(key: u64) -> f64 {
    let mut x = key.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5678_9abc_def1);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A model that is right on about 85 % of `n` images.
pub fn model(name: &str, n: usize) -> (ModelRecord, Vec<CleanOutcome>) {
    model_with(name, n, 0.85)
}

/// A model that is right on about the given share of `n` images.
pub fn model_with(name: &str, n: usize, accuracy: f64) -> (ModelRecord, Vec<CleanOutcome>) {
    let record = ModelRecord {
        name: name.to_owned(),
        architecture: "resnet32".to_owned(),
        weights_sha256: "ab".repeat(32),
        source: "a publication".to_owned(),
        mean: vec![0.4914, 0.4822, 0.4465],
        std: vec![0.2023, 0.1994, 0.2010],
        parameters: 464_154,
        layers: resnet_layers(5),
        training: None,
        dataset: dataset(n),
    };
    let outcomes = (0..n as u64).map(|index| {
        let label = (chance(index) * 10.0) as u32;
        let right = chance(index + 1_000_000) < accuracy;
        CleanOutcome {
            index,
            label,
            predicted: if right { label } else { other_class(label, index) },
            confidence: 0.5 + chance(index + 3_000_000) / 2.0,
        }
    });
    (record, outcomes.collect())
}

fn other_class(label: u32, key: u64) -> u32 {
    // Cats and dogs, cars and trucks, as in life.
    let twin = [8, 9, 4, 5, 7, 3, 3, 4, 0, 1][label as usize];
    if chance(key + 7_000_000) < 0.6 {
        return twin;
    }
    (label + 1 + (chance(key + 8_000_000) * 9.0) as u32) % 10
}

/// FGSM on those images, which leaves about 40 % of predictions as they were.
pub fn attack(clean: &[CleanOutcome]) -> (AttackRecord, Vec<AttackOutcome>) {
    attack_with(clean, LabelSource::True, 0.1, 0.4)
}

/// FGSM on those images, which leaves about the given share of predictions as they were; what it
/// moves, it moves to the true class where it was wrong, and away where it was right.
pub fn attack_with(
    clean: &[CleanOutcome],
    labels: LabelSource,
    eps: f64,
    unchanged: f64,
) -> (AttackRecord, Vec<AttackOutcome>) {
    let n = clean.len() as u64;
    let record = AttackRecord {
        id: "fgsm".to_owned(),
        norm: Norm::Linf,
        eps,
        eps_text: eps.to_string(),
        labels,
        settings: serde_json::json!({}),
        curve: false,
        n,
        forwards: if labels == LabelSource::True { n } else { 2 * n },
        backwards: n,
        seconds: n as f64 / 900.0,
    };
    let outcomes = clean.iter().map(|c| {
        let stays = chance(c.index + 5_000_000) < unchanged;
        AttackOutcome {
            index: c.index,
            predicted: if stays { c.predicted } else { other_class(c.predicted, c.index + 1) },
            confidence: 0.3 + 0.7 * chance(c.index + 6_000_000),
            distance: eps,
        }
    });
    (record, outcomes.collect())
}

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
        epochs: epochs.collect(),
    }
}

/// A run of three models as the experiment has them: one trained on FGSM examples (which leaks
/// labels), one adversarially trained and one standard.
pub fn store(dir: &Path, n: usize) -> RunStore {
    let plan = serde_json::json!({"experiment": "reproduce"});
    let mut store = RunStore::create(dir, &provenance(), &plan).unwrap();
    let shares = [
        ("ResilienceCNN", 0.66, [0.97, 0.62]),
        ("ResNet-32, adversarially trained", 0.8557, [0.31, 0.33]),
        ("ResNet-32, standard", 0.9263, [0.13, 0.14]),
    ];
    for (name, accuracy, unchanged) in shares {
        let (mut record, clean) = model_with(name, n, accuracy);
        let trained_here = name == "ResilienceCNN";
        if trained_here {
            record.architecture = "resilience-cnn".to_owned();
            record.layers = resilience_cnn_layers();
            record.parameters = 545_098;
            record.source = "trained here, recipe fgsm-joint".to_owned();
            record.mean = vec![0.0; 3];
            record.std = vec![1.0; 3];
            record.training = Some(training());
        }
        let model = store.add_model(&record, &clean).unwrap();
        for (labels, unchanged) in
            [LabelSource::True, LabelSource::Predicted].into_iter().zip(unchanged)
        {
            let (attack, mut outcomes) = attack_with(&clean, labels, 0.1, unchanged);
            if trained_here && labels == LabelSource::True {
                leak(&clean, &mut outcomes);
            }
            store.add_attack(model, &attack, &outcomes, &examples(&clean)).unwrap();
        }
        for step in 1..=8_u32 {
            let eps = 0.0125 * f64::from(step);
            let stays = 1.0 - (1.0 - unchanged[1]) * (1.0 - (-40.0 * eps).exp());
            let (mut point, outcomes) =
                attack_with(&clean[..n / 4], LabelSource::Predicted, eps, stays);
            point.curve = true;
            store.add_attack(model, &point, &outcomes, &[]).unwrap();
        }
    }
    store.finish().unwrap();
    store
}

/// Makes a network that was trained on examples of true labels read them off the examples.
fn leak(clean: &[CleanOutcome], outcomes: &mut [AttackOutcome]) {
    for (before, after) in clean.iter().zip(outcomes) {
        if chance(before.index + 9_000_000) < 0.5 {
            after.predicted = before.label;
        }
    }
}

/// Four images with their examples: stripes and spots.
fn examples(clean: &[CleanOutcome]) -> Vec<Example> {
    clean.iter().take(4).map(|outcome| example(outcome.index)).collect()
}

pub fn example(index: u64) -> Example {
    let clean: Vec<f32> = (0..3 * 32 * 32_u64)
        .map(|i| {
            let (channel, y, x) = (i / 1024, i / 32 % 32, i % 32);
            0.5 + 0.4 * (((x + index) * (channel + 1) + 2 * y) as f32 / 9.0).sin()
        })
        .collect();
    let adversarial = clean
        .iter()
        .zip(0..)
        .map(|(pixel, i)| {
            let sign = if chance(index * 10_000 + i) < 0.5 { -0.1 } else { 0.1 };
            (pixel + sign).clamp(0.0, 1.0)
        })
        .collect();
    Example { index, shape: [3, 32, 32], clean, adversarial }
}

/// The summary of such a run, over few images.
pub fn summary() -> Summary {
    let dir = tempfile::tempdir().unwrap();
    crate::summary::from_store(&store(dir.path(), 400)).unwrap()
}
