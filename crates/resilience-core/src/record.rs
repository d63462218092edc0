//! What a run finds out, in plain values: written by the engine, kept by the store, counted by
//! the metrics. No tensor, no file.

use serde::{Deserialize, Serialize};

use crate::threat::Norm;

/// The program that made a result, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Always `resilience`.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Version of libtorch that it ran on.
    pub libtorch: String,
}

/// One invocation of the program: enough to repeat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The program.
    pub tool: Tool,
    /// The command line as typed.
    pub command: String,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// The seed of everything random.
    pub seed: u64,
    /// Processor, operating system, threads: what a timing depends on.
    pub machine: Machine,
    /// What a reader must know before any figure, such as a fallback data set; whole sentences.
    pub notices: Vec<String>,
}

/// The machine that a figure was measured on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Threads that libtorch used.
    pub threads: u32,
    /// Operating system and architecture.
    pub os: String,
    /// `cpu`, `cuda:0`.
    pub device: String,
}

/// A slice of a data set: the first `n` images of a split, in file order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetRecord {
    /// `cifar10`, `shapes10`.
    pub name: String,
    /// `train` or `test`.
    pub split: String,
    /// Number of images.
    pub n: u64,
    /// SHA-256 over the labels and pixels of those images, in order, as lower-case hexadecimal.
    pub sha256: String,
    /// Names of the classes, by label.
    pub classes: Vec<String>,
}

/// A model as evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    /// What it is called in tables.
    pub name: String,
    /// Its architecture's registry id, `resnet32`.
    pub architecture: String,
    /// SHA-256 of the weights file, lower-case hexadecimal.
    pub weights_sha256: String,
    /// Where the weights come from, for a person: a publication, or the recipe that trained them.
    pub source: String,
    /// Subtracted from each channel inside the model.
    pub mean: Vec<f64>,
    /// Divides each channel inside the model.
    pub std: Vec<f64>,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// Its layers in the order of the forward pass, from the model itself.
    pub layers: Vec<LayerRecord>,
    /// How it was trained, where this program trained it.
    pub training: Option<TrainingRecord>,
    /// The data it was evaluated on.
    pub dataset: DatasetRecord,
}

/// One layer (or block) of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerRecord {
    /// Name of its parameters' prefix in the state dict (`conv1`, `layer1.0`), else what it is.
    pub name: String,
    /// What it does, for a person: `conv 3x3, 3 to 32, padding 1`.
    pub kind: String,
    /// Shape of its output for one image, `[32, 32, 32]`.
    pub output: Vec<u64>,
    /// Number of trainable parameters.
    pub parameters: u64,
}

/// How a model was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRecord {
    /// Recipe id.
    pub recipe: String,
    /// Seed of initial weights, order, augmentation.
    pub seed: u64,
    /// The data it was trained on.
    pub dataset: DatasetRecord,
    /// Settings in words, `adam, learning rate 0.001, batch 128, flip, rotation 15`.
    pub settings: Vec<(String, String)>,
    /// One record an epoch, in order.
    pub epochs: Vec<EpochRecord>,
}

/// One epoch of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: u32,
    /// Epochs planned.
    pub of: u32,
    /// Mean training loss of the epoch.
    pub loss: f64,
    /// Named means over the epoch: `clean_loss`, `adversarial_loss`, `clean_accuracy`,
    /// `adversarial_accuracy` (on the augmented training batches, as they were trained on).
    pub scalars: Vec<(String, f64)>,
    /// Wall time.
    pub seconds: f64,
    /// Training images per second.
    pub images_per_second: f64,
}

/// What an unattacked image gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanOutcome {
    /// Place of the image in its split, from 0.
    pub index: u64,
    /// True class.
    pub label: u32,
    /// Predicted class.
    pub predicted: u32,
    /// Softmax probability of the predicted class.
    pub confidence: f64,
}

/// Whose labels the attack pushed away from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LabelSource {
    /// The true class (torchattacks' convention).
    True,
    /// The class that the model itself predicts (ART's convention when no labels are given).
    Predicted,
}

impl LabelSource {
    /// The name that arguments and files use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::Predicted => "predicted",
        }
    }
}

/// One attack on one model: what was done and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackRecord {
    /// Registry id, `fgsm`.
    pub id: String,
    /// Norm of the threat.
    pub norm: Norm,
    /// Radius as a number.
    pub eps: f64,
    /// Radius as given, `8/255`.
    pub eps_text: String,
    /// Whose labels were attacked.
    pub labels: LabelSource,
    /// Settings that differ from nothing: every setting by name, as JSON.
    pub settings: serde_json::Value,
    /// Whether it is a point of the accuracy-against-eps curve rather than a result of its own
    /// (curves run on the first images only).
    pub curve: bool,
    /// Number of images attacked: the first n of the split.
    pub n: u64,
    /// Forward passes, counted in images.
    pub forwards: u64,
    /// Backward passes, counted in images.
    pub backwards: u64,
    /// Wall time.
    pub seconds: f64,
}

/// What an attacked image gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackOutcome {
    /// Place of the image in its split, from 0.
    pub index: u64,
    /// Class predicted for the adversarial image.
    pub predicted: u32,
    /// Softmax probability of that class.
    pub confidence: f64,
    /// Distance from the clean image in the attack's norm, in f64.
    pub distance: f64,
}

/// A clean image with its adversarial example, kept to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Place of the image in its split, from 0.
    pub index: u64,
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// Pixels of the clean image in [0, 1], channel by channel.
    pub clean: Vec<f32>,
    /// Pixels of the adversarial image, likewise.
    pub adversarial: Vec<f32>,
}
