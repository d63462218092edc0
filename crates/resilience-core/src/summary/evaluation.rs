//! What all attacks of one norm and radius leave of a model.

use serde::{Deserialize, Serialize};

use super::Correct;
use crate::leaderboard::Place;
use crate::metric::CostPoint;
use crate::record::{LabelSource, Scope};
use crate::threat::Norm;

/// A norm and a radius.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreatSummary {
    /// The norm.
    pub norm: Norm,
    /// Radius.
    pub eps: f64,
    /// Radius as given, `8/255`.
    pub eps_text: String,
}

/// The attacks of one norm and radius, together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationSummary {
    /// Norm of the threat.
    pub norm: Norm,
    /// Radius.
    pub eps: f64,
    /// Radius as given, `8/255`.
    pub eps_text: String,
    /// The suite that its attacks are part of, `quick`; several are joined by ` + `. None where
    /// they were asked for by themselves.
    pub suite: Option<String>,
    /// Whether each of its attacks was run on every image that was right when clean, not only on
    /// those that the ones before it had left.
    pub individual: bool,
    /// Whether every attack that was planned here was carried through. Where not, `robust` says
    /// nothing of the model: images may count as right that no attack has tried.
    pub finished: bool,
    /// Images that the figures are over: the smallest number of any of its attacks.
    pub n: u64,
    /// Accuracy without an attack, on the same images.
    pub clean: Correct,
    /// Images that are right when clean and that nothing broke, here or at a smaller radius: an
    /// upper bound of robust accuracy.
    pub robust: Correct,
    /// Images that are broken by what was found outside these attacks: at a smaller radius, or on a
    /// curve.
    pub carried: u64,
    /// Where `robust` would stand among published claims; none where nothing is published for this
    /// data set, norm and radius, or where the figure cannot be held against a claim.
    pub place: Option<Place>,
    /// The attacks, in order.
    pub attacks: Vec<StageSummary>,
    /// What is left when each image may have cost at most so many passes of these attacks.
    pub cost: Vec<CostPoint>,
}

/// One attack of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSummary {
    /// Place in the plan's stages, from 0.
    pub stage: u64,
    /// Registry id.
    pub id: String,
    /// Every setting by name.
    pub settings: serde_json::Value,
    /// Whose labels were attacked.
    pub labels: LabelSource,
    /// Which images were attacked.
    pub scope: Scope,
    /// Name of the model that its examples were made on; none where that was this model itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Images that it attacked, of those that the figures are over.
    pub attacked: u64,
    /// Images that it broke: right when clean, another class afterwards.
    pub broke: u64,
    /// Images that it broke and that nothing before it had.
    pub adds: u64,
    /// What is left after it.
    pub remaining: Correct,
    /// What it alone leaves; none where it met only what others had left, or was not carried
    /// through.
    pub alone: Option<Correct>,
    /// Images that it broke by so small a margin that another machine may decide otherwise.
    pub boundary: u64,
    /// Forward passes in images.
    pub forwards: u64,
    /// Backward passes in images.
    pub backwards: u64,
    /// Wall time.
    pub seconds: f64,
    /// Whether it was carried through.
    pub finished: bool,
}

impl EvaluationSummary {
    /// Whether it has nothing but a single step or noise to show for itself.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        let weak = |id: &str| id == "fgsm" || id.starts_with("noise-");
        self.attacks.iter().all(|attack| weak(&attack.id))
    }

    /// Images that were broken by so small a margin that another machine may decide otherwise.
    #[must_use]
    pub fn boundary(&self) -> u64 {
        self.attacks.iter().map(|attack| attack.boundary).sum()
    }
}
