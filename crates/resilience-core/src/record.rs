//! What a run finds out, in plain values: written by the engine, kept by the store, counted by
//! the metrics. No tensor, no file.

use serde::{Deserialize, Serialize};

use crate::threat::Norm;
use crate::vote::Vote;

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
    /// Its architecture's registry id, `resnet32`; of an ensemble, what its members are.
    pub architecture: String,
    /// SHA-256 of the weights file, lower-case hexadecimal; of an ensemble, over what decides its
    /// answers.
    pub weights_sha256: String,
    /// Where the weights come from, for a person: a publication, or the recipe that trained them.
    pub source: String,
    /// Subtracted from each channel inside the model; by an ensemble nothing, its members have
    /// their own.
    pub mean: Vec<f64>,
    /// Divides each channel inside the model; likewise.
    pub std: Vec<f64>,
    /// Values that the model rounds each pixel to, which has no gradient: attacks see it as if pixels
    /// stayed as they are. None where it does not, and of an ensemble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_levels: Option<u32>,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// Its layers in the order of the forward pass, from the model itself; none of an ensemble.
    pub layers: Vec<LayerRecord>,
    /// How it was trained, where this program trained it; none of an ensemble.
    pub training: Option<TrainingRecord>,
    /// Who votes and how, where it is an ensemble.
    pub ensemble: Option<EnsembleRecord>,
    /// Passes that every verdict is the mean of: 1 where the model is deterministic.
    pub passes: u32,
    /// The data it was evaluated on.
    pub dataset: DatasetRecord,
}

/// An ensemble as evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnsembleRecord {
    /// What its logits are.
    pub vote: Vote,
    /// Whether that has a gradient.
    pub differentiable: bool,
    /// What attacks that take gradients saw: the vote itself, or what stood in for it.
    pub gradients_of: Vote,
    /// Its members, in order.
    pub members: Vec<MemberRecord>,
}

/// A member of an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRecord {
    /// What its manifest calls it.
    pub name: String,
    /// Its architecture's registry id.
    pub architecture: String,
    /// SHA-256 of the weights file, lower-case hexadecimal.
    pub weights_sha256: String,
    /// Where the weights come from, for a person.
    pub source: String,
    /// Subtracted from each channel inside the member.
    pub mean: Vec<f64>,
    /// Divides each channel inside the member.
    pub std: Vec<f64>,
    /// Standard deviation of the Gaussian noise that it adds to its input; 0 for none.
    pub input_noise: f64,
    /// Values that it rounds each pixel to; none where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_levels: Option<u32>,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// Its layers in the order of the forward pass.
    pub layers: Vec<LayerRecord>,
    /// How it was trained, where this program trained it.
    pub training: Option<TrainingRecord>,
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
    /// The epoch whose weights were kept, from 1; none where that was not written down: the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<u32>,
    /// The machine that it was trained on; none where that was not written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
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
    /// Learning rate at the end of the epoch; 0 where that was not written down.
    #[serde(default)]
    pub learning_rate: f64,
    /// What the network was worth after the epoch on images that it was not trained on; none where
    /// that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationRecord>,
    /// Forward and backward passes through the network, attacks included, for each training image; 0
    /// where that was not counted.
    #[serde(default)]
    pub passes: f64,
    /// Wall time.
    pub seconds: f64,
    /// Training images per second.
    pub images_per_second: f64,
}

/// Accuracies of a network after an epoch, on images held out of training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRecord {
    /// Number of held-out images.
    pub n: u64,
    /// Share of them that is classified correctly without an attack, in [0, 1].
    pub clean: f64,
    /// The same under FGSM, one step.
    pub fgsm: f64,
    /// The same under PGD, many steps.
    pub pgd: f64,
}

/// What an unattacked image gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanOutcome {
    /// Place of the image in its split, from 0.
    pub index: u64,
    /// True class.
    pub label: u32,
    /// Predicted class; where the model is noisy, the one that most passes gave.
    pub predicted: u32,
    /// Softmax probability of the predicted class, in the first pass that gave it.
    pub confidence: f64,
    /// Share of the passes that gave the true class: 0 or 1 where the model is deterministic.
    pub right: f64,
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

/// Which images an attack is run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Every image, also those that are misclassified without an attack. Only such an attack has a
    /// robustness score and moves.
    All,
    /// The images that are classified correctly.
    Correct,
    /// Those of them that no earlier attack of the run has broken within this threat.
    Survivors,
    /// Of those the ones that came closest, as many as it takes: group by group, the smallest margins
    /// first, until nothing falls in a group. They are attacked at the reference itself, so that
    /// what a faster form of the model misses by rounding is found.
    Closest,
}

/// What an attack is run for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// To break images: one that is broken within the radius is left alone from then on.
    #[default]
    Break,
    /// To find the nearest misclassified point of each image, at whatever distance: no image is left
    /// alone, and the distances give accuracy against every radius at once ([`Nearest`]).
    Nearest,
}

impl Goal {
    /// The name that files use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Break => "break",
            Self::Nearest => "nearest",
        }
    }

    /// Whether it is that of all attacks that do not say.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::Break
    }
}

/// One attack on one model: what was done and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackRecord {
    /// Place in the plan's stages, from 0.
    pub stage: u64,
    /// Registry id, `fgsm`.
    pub id: String,
    /// The suite that it is part of, `quick`; none where it was asked for by itself.
    pub suite: Option<String>,
    /// Norm of the threat.
    pub norm: Norm,
    /// Radius as a number.
    pub eps: f64,
    /// Radius as given, `8/255`.
    pub eps_text: String,
    /// Whose labels were attacked.
    pub labels: LabelSource,
    /// Which images were attacked.
    pub scope: Scope,
    /// What it was run for.
    #[serde(default, skip_serializing_if = "Goal::is_usual")]
    pub goal: Goal,
    /// Place among the plan's models of the one that its examples were made on; none where that was the
    /// model itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<u64>,
    /// Every setting by name, as JSON.
    pub settings: serde_json::Value,
    /// Whether it is a point of an accuracy-against-eps curve of its own rather than a result
    /// (such curves run on the first images only).
    pub curve: bool,
    /// The images that the figures are over: the first n of the split, attacked or not.
    pub n: u64,
    /// Images that were attacked.
    pub attacked: u64,
    /// Forward passes, counted in images, those of the verdict included.
    pub forwards: u64,
    /// Backward passes, counted in images.
    pub backwards: u64,
    /// Wall time.
    pub seconds: f64,
    /// Whether it was carried through; an attack that was broken off or failed says nothing of the
    /// images that it did not break.
    pub finished: bool,
}

/// What an attacked image gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackOutcome {
    /// Place of the image in its split, from 0.
    pub index: u64,
    /// Class that the reference predicts for the best candidate: the one that broke the image, else
    /// the one that came closest.
    pub predicted: u32,
    /// Softmax probability of that class.
    pub confidence: f64,
    /// Distance of that candidate from the clean image in the attack's norm, in f64.
    pub distance: f64,
    /// Logit of the class pushed away from less the largest other logit, in f32: negative where
    /// the image is broken, else the smallest that the attack saw.
    pub margin: f64,
    /// Share of passes on that candidate that gave the true class: 0 or 1 where the model is
    /// deterministic.
    pub right: f64,
    /// Restart or target, from 0, in which the candidate was found.
    pub round: u32,
    /// Step within that round, from 1.
    pub step: u32,
    /// Forward passes that this attack spent on the image until it was decided.
    pub forwards: u64,
    /// Backward passes, likewise.
    pub backwards: u64,
}

/// The nearest misclassified point that an attack has found of an image which is right when clean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Place of the image in its split, from 0.
    pub index: u64,
    /// Distance of the point from the clean image in the attack's norm, in f64; it may exceed the
    /// attack's radius.
    pub distance: f64,
    /// Class that the reference predicts for it.
    pub predicted: u32,
    /// Logit of the true class less the largest other one, in f32.
    pub margin: f64,
    /// Restart or target, from 0, in which it was found.
    pub round: u32,
    /// Step within that round, from 1.
    pub step: u32,
}

/// A part of an attack that is carried through or replayed as a whole: one round (a restart or a
/// target) on a group of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Unit {
    /// Index of the group's first image.
    pub first: u64,
    /// The round, from 0.
    pub round: u32,
}

/// An adversarial image that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// Place of the image in its split, from 0.
    pub index: u64,
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// Pixels in [0, 1], channel by channel, as the model saw them.
    pub pixels: Vec<f32>,
}

/// A clean image, kept to be shown beside its adversarial ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Place of the image in its split, from 0.
    pub index: u64,
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// 8-bit pixels, channel by channel.
    pub pixels: Vec<u8>,
}
