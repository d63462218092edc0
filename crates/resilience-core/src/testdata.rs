//! Made-up records for the tests of this crate, in the proportions of real ones.

mod attack;
mod audit;
mod comparison;
mod distances;
mod fields;
mod network;
mod run;

pub use self::attack::{attack, attack_with, claim, fgsm, nearest, outcome, search};
pub use self::audit::audit;
pub use self::comparison::{WAYS, Way, comparison, comparison_of, large_comparison};
pub use self::distances::distances;
pub use self::fields::{documented, written};
pub use self::network::{ensemble, resilience_cnn_layers, resnet_layers, training};
pub use self::run::{add_attack, example, ladder, picture, plan, store, summary};
use crate::record::{CleanOutcome, DatasetRecord, Machine, ModelRecord, Provenance, Tool};

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
        input_levels: None,
        parameters: 464_154,
        layers: resnet_layers(5),
        training: None,
        ensemble: None,
        passes: 1,
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
            right: f64::from(u8::from(right)),
        }
    });
    (record, outcomes.collect())
}

/// What a deterministic model says to a clean image.
pub fn clean_outcome(index: u64, label: u32, predicted: u32) -> CleanOutcome {
    let right = f64::from(u8::from(label == predicted));
    CleanOutcome { index, label, predicted, confidence: 0.5, right }
}

/// A class that is easily taken for this one.
pub fn other_class(label: u32, key: u64) -> u32 {
    // Cats and dogs, cars and trucks, as in life.
    let twin = [8, 9, 4, 5, 7, 3, 3, 4, 0, 1][label as usize];
    if chance(key + 7_000_000) < 0.6 {
        return twin;
    }
    (label + 1 + (chance(key + 8_000_000) * 9.0) as u32) % 10
}
