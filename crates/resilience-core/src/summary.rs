//! The result that machines read: `summary.json`, schema 2.
//!
//! `docs/summary-schema.md` describes every field; [`from_store`] counts a run and
//! [`Summary::write`] and [`Summary::read`] keep it.

mod count;
mod distances;
mod evaluation;
mod file;
mod pair;

use serde::{Deserialize, Serialize};

pub use self::count::{Judged, from_store, judged};
pub use self::distances::{Bin, DistanceSummary, NearestSummary};
pub use self::evaluation::{EvaluationSummary, StageSummary, ThreatSummary};
pub use self::file::SummaryError;
pub use self::pair::PairSummary;
use crate::audit::AuditRecord;
use crate::metric::{Paired, clopper_pearson};
use crate::record::{EnsembleRecord, LabelSource, LayerRecord, Provenance, Tool, TrainingRecord};
use crate::threat::Norm;

/// Version of `summary.json` that this program writes and reads.
pub const SCHEMA: u32 = 2;

/// Everything that a run found, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Version of this structure.
    pub schema: u32,
    /// The program that made it.
    pub tool: Tool,
    /// The invocation that made it.
    pub run: Provenance,
    /// Whether everything that was planned was done; not where the run was broken off.
    pub finished: bool,
    /// One entry a model, in the order of evaluation.
    pub models: Vec<ModelSummary>,
    /// Every two models that were evaluated on the same images, compared image by image.
    pub pairs: Vec<PairSummary>,
}

impl Summary {
    /// The same without what others have published: what the outcomes alone amount to, whichever claims
    /// come with the program.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        for evaluation in self.models.iter_mut().flat_map(|model| &mut model.evaluations) {
            evaluation.place = None;
        }
        self
    }
}

/// The part of a data set that a rate is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSummary {
    /// `cifar10`, `shapes10`.
    pub name: String,
    /// `train` or `test`.
    pub split: String,
    /// Number of images: the first n of the split.
    pub n: u64,
    /// SHA-256 over their labels and pixels.
    pub sha256: String,
    /// Names of the classes, by label.
    pub classes: Vec<String>,
}

/// One model's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSummary {
    /// What it is called in tables.
    pub name: String,
    /// Registry id of its architecture; of an ensemble, what its members are.
    pub architecture: String,
    /// SHA-256 of the weights file; of an ensemble, over what decides its answers.
    pub weights_sha256: String,
    /// Where the weights come from.
    pub source: String,
    /// Values that the model rounds each pixel to, which attacks see as if pixels stayed as they are; none
    /// where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_levels: Option<u32>,
    /// Number of trainable parameters.
    pub parameters: u64,
    /// Per-channel mean subtracted inside the model.
    pub mean: Vec<f64>,
    /// Per-channel divisor inside the model.
    pub std: Vec<f64>,
    /// Its layers in order.
    pub layers: Vec<LayerRecord>,
    /// How it was trained, where this program trained it.
    pub training: Option<TrainingRecord>,
    /// Who votes and how, where it is an ensemble.
    pub ensemble: Option<EnsembleRecord>,
    /// What it was evaluated on.
    pub dataset: DatasetSummary,
    /// Passes that every verdict is the mean of: 1 where the model is deterministic.
    pub passes: u32,
    /// Accuracy without an attack.
    pub clean: Correct,
    /// Robust accuracy at the radius that the headline is about: at most so much, since a stronger
    /// attack can only lower it. None where nothing was attacked there, or not to the end.
    pub robust: Option<Correct>,
    /// What that radius is.
    pub robust_threat: Option<ThreatSummary>,
    /// What all attacks together leave, one entry a norm and radius, by growing radius.
    pub evaluations: Vec<EvaluationSummary>,
    /// One entry an attack that was carried through on every image, also on those that were wrong
    /// when clean.
    pub attacks: Vec<AttackSummary>,
    /// Accuracy against eps, one entry a curve.
    pub curves: Vec<CurveSummary>,
    /// How far the nearest adversarial examples lie, one entry a norm in which they were looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distances: Vec<DistanceSummary>,
    /// Whether there is a reason not to trust these figures; none where nobody has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditRecord>,
}

/// How many were classified correctly. Where the model is noisy, `rate` is the mean over its passes,
/// `correct` the sum of the images' shares, rounded, and the interval that of the rounded count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correct {
    /// Images whose prediction is the true class.
    pub correct: u64,
    /// Of so many.
    pub n: u64,
    /// `correct / n`.
    pub rate: f64,
    /// 95 % Clopper–Pearson interval.
    pub ci95: [f64; 2],
}

impl Correct {
    /// The rate of `correct` among `n` with its interval.
    #[must_use]
    pub fn of(correct: u64, n: u64) -> Self {
        Self { correct, n, rate: correct as f64 / n as f64, ci95: clopper_pearson(correct, n) }
    }

    /// The rate where `right` is the sum over `n` images of the share of passes that were right.
    #[must_use]
    pub fn of_shares(right: f64, n: u64) -> Self {
        let rounded = Self::of(right.round().clamp(0.0, n as f64) as u64, n);
        // A sum of zeros and ones is exact; of other shares it is not, and the rate is theirs.
        Self { rate: right / n as f64, ..rounded }
    }
}

/// How many predictions the attack left as they were.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unchanged {
    /// Images whose prediction after the attack is the one before it.
    pub unchanged: u64,
    /// Of so many.
    pub n: u64,
    /// `unchanged / n`.
    pub rate: f64,
    /// 95 % Clopper–Pearson interval.
    pub ci95: [f64; 2],
}

impl Unchanged {
    /// The rate of `unchanged` among `n` with its interval.
    #[must_use]
    pub fn of(unchanged: u64, n: u64) -> Self {
        Self {
            unchanged,
            n,
            rate: unchanged as f64 / n as f64,
            ci95: clopper_pearson(unchanged, n),
        }
    }
}

/// What one attack left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackSummary {
    /// Registry id.
    pub id: String,
    /// The suite that it is part of; none where it was asked for by itself.
    pub suite: Option<String>,
    /// Norm of the threat.
    pub norm: Norm,
    /// Radius.
    pub eps: f64,
    /// Radius as given, `8/255`.
    pub eps_text: String,
    /// Whose labels were attacked.
    pub labels: LabelSource,
    /// Every setting by name.
    pub settings: serde_json::Value,
    /// Accuracy on the attacked images.
    pub adversarial: Correct,
    /// The robustness score: predictions that the attack left unchanged.
    pub robustness: Unchanged,
    /// Which images the attack lost and which it gained, with McNemar's exact test.
    pub paired: Paired,
    /// Entry `[from][to]` counts images that were predicted `from` when clean and `to` when
    /// attacked.
    pub moves: Vec<Vec<u64>>,
    /// Forward passes in images.
    pub forwards: u64,
    /// Backward passes in images.
    pub backwards: u64,
    /// Wall time.
    pub seconds: f64,
}

/// Accuracy of one attack against growing eps, on the first n images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveSummary {
    /// Registry id of the attack.
    pub attack: String,
    /// Norm of the threat.
    pub norm: Norm,
    /// Whose labels were attacked.
    pub labels: LabelSource,
    /// Accuracy without an attack, on the same images.
    pub clean: Correct,
    /// By growing eps, without eps 0.
    pub points: Vec<CurvePoint>,
}

/// One point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurvePoint {
    /// Radius.
    pub eps: f64,
    /// Accuracy on the attacked images.
    pub adversarial: Correct,
}
