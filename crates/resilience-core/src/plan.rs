//! What a run is going to do, resolved to the last setting before anything runs. It is kept in the
//! run store, and a run that goes on, a shard and a merge are held against it.

mod difference;

use serde::{Deserialize, Serialize};

pub use self::difference::{Difference, difference};

use crate::record::{DatasetRecord, Goal, LabelSource, Scope};
use crate::threat::{Norm, Threat, ThreatError};
use crate::view::View;

/// Everything that decides the outcomes of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The command that made it.
    pub kind: Kind,
    /// Seed of everything random.
    pub seed: u64,
    /// The images of the whole run, all shards together.
    pub dataset: DatasetRecord,
    /// The models, in the order of evaluation.
    pub models: Vec<ModelPlan>,
    /// The attacks on each of them, in order.
    pub stages: Vec<Stage>,
    /// The radius that the headline is about; none where nothing is attacked.
    pub headline: Option<ThreatPlan>,
    /// Which adversarial images are kept.
    pub keep: Keep,
    /// Consecutive images that are attacked together; shards are made of whole blocks.
    pub block: u64,
    /// Images that the reference computes at once.
    pub chunk: u64,
    /// Threads that the results are bit for bit the same for.
    pub threads: u32,
    /// The part of the blocks that this run does.
    pub shard: Shard,
}

/// The command that made a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `resilience eval`.
    Eval,
    /// `resilience reproduce`.
    Reproduce,
    /// `resilience compare`.
    Compare,
}

impl Plan {
    /// The same plan with what was measured on the machine of another, or where its models lay there,
    /// which is no part of what is done: times, the forms that attacks look at, and paths.
    #[must_use]
    pub fn measured_as(mut self, other: &Self) -> Self {
        for (now, then) in self.models.iter_mut().zip(&other.models) {
            *now = ModelPlan {
                request: then.request.clone(),
                view: then.view,
                chunk: then.chunk,
                forward_seconds: then.forward_seconds,
                backward_seconds: then.backward_seconds,
                reference_forward_seconds: then.reference_forward_seconds,
                reference_backward_seconds: then.reference_backward_seconds,
                ..now.clone()
            };
        }
        self
    }
}

/// A model of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPlan {
    /// What it is called in tables.
    pub name: String,
    /// What the command line called it.
    pub request: String,
    /// Registry id of its architecture; of an ensemble, what its members are.
    pub architecture: String,
    /// SHA-256 of its weights file; of an ensemble, over its vote and all that decides what each
    /// member answers.
    pub weights_sha256: String,
    /// Subtracted from each channel inside the model; an ensemble leaves pixels to its members.
    pub mean: [f64; 3],
    /// Divides each channel inside the model; likewise.
    pub std: [f64; 3],
    /// Standard deviation of the Gaussian noise that the model adds to its input; 0 for none, and of
    /// an ensemble, whose members add their own.
    pub input_noise: f64,
    /// Values that the model rounds each pixel to; none where it does not, and of an ensemble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_levels: Option<u32>,
    /// Passes that a verdict is the mean of: 1 where the model is deterministic.
    pub passes: u32,
    /// The form of it that attacks look at, the fastest of those measured at the start.
    pub view: View,
    /// Images that this form computes at once, likewise.
    pub chunk: u64,
    /// Seconds that one image takes forwards through this form, likewise.
    pub forward_seconds: f64,
    /// Seconds of a backward pass, likewise.
    pub backward_seconds: f64,
    /// Seconds that one image takes forwards through the reference, likewise.
    pub reference_forward_seconds: f64,
    /// Seconds of a backward pass through it, likewise.
    pub reference_backward_seconds: f64,
}

/// A norm and a radius as they are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreatPlan {
    /// The norm.
    pub norm: Norm,
    /// The radius as given, `8/255`.
    pub eps: String,
}

impl ThreatPlan {
    /// The threat in words that can be kept.
    #[must_use]
    pub fn of(threat: Threat) -> Self {
        Self { norm: threat.norm(), eps: threat.eps().to_string() }
    }

    /// The threat itself.
    pub fn threat(&self) -> Result<Threat, ThreatError> {
        Threat::new(self.norm, self.eps.parse()?)
    }
}

/// One attack of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Registry id of the attack.
    pub attack: String,
    /// Every setting by name, the defaults included.
    pub settings: serde_json::Value,
    /// What it may do.
    pub threat: ThreatPlan,
    /// Whose labels it pushes away from.
    pub labels: LabelSource,
    /// Which images it is run on.
    pub scope: Scope,
    /// What it is run for.
    #[serde(default, skip_serializing_if = "Goal::is_usual")]
    pub goal: Goal,
    /// Place among the plan's models of the one that its examples are made on; none where that is each
    /// model itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<u64>,
    /// The first n images of the data set.
    pub n: u64,
    /// Whether it is a point of a curve of its own.
    pub curve: bool,
    /// The suite that it is part of.
    pub suite: Option<String>,
}

impl Stage {
    /// Whether it is the same attack on the same images, as another version of the program may have
    /// written it down: a setting that only one of them names is one that the attack has been given since,
    /// with a default that changes nothing.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let agree = match (self.settings.as_object(), other.settings.as_object()) {
            (Some(ours), Some(theirs)) => {
                ours.iter().all(|(name, value)| theirs.get(name).is_none_or(|other| other == value))
            }
            _ => self.settings == other.settings,
        };
        let settings = self.settings.clone();
        agree && *self == Self { settings, ..other.clone() }
    }
}

/// Which adversarial images are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Only the few that the report shows.
    None,
    /// Those that broke an image, exactly as the model saw them: what `verify` checks.
    Broken,
}

/// A part of a run: number `index` of `of`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// From 1.
    pub index: u64,
    /// How many there are.
    pub of: u64,
}

impl Shard {
    /// The whole run.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// The images of the first `n` that this part covers: whole blocks, in order.
    #[must_use]
    pub fn images(self, n: u64, block: u64) -> std::ops::Range<u64> {
        let blocks = u128::from(n.div_ceil(block));
        // The product of two numbers of 64 bits, which a shard of very many would overflow.
        let edge = |part: u64| (blocks * u128::from(part) / u128::from(self.of)) as u64;
        let image = |part: u64| edge(part).saturating_mul(block).min(n);
        image(self.index - 1)..image(self.index)
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shard = text.split_once('/').and_then(|(index, of)| {
            Some(Self { index: index.trim().parse().ok()?, of: of.trim().parse().ok()? })
        });
        shard.filter(|shard| (1..=shard.of).contains(&shard.index)).ok_or_else(|| {
            format!("'{text}' is no shard; expected K/M with K from 1 to M, such as 2/8")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch shards that overlap, leave images out, or cut a block in two.
    #[test]
    fn shards_cover_every_image_once_in_whole_blocks() {
        for (n, block, of) in [(1000, 64, 8), (1000, 64, 3), (10, 4, 3), (10, 4, 5), (1, 256, 2)] {
            let mut next = 0;
            for index in 1..=of {
                let images = Shard { index, of }.images(n, block);
                assert_eq!(images.start, next, "{n} {block} {index}/{of}");
                assert!(images.end == n || images.end.is_multiple_of(block));
                next = images.end;
            }
            assert_eq!(next, n);
        }
        let last = Shard { index: u64::MAX, of: u64::MAX };
        assert_eq!(last.images(1000, 64), 960..1000);
    }

    /// Would catch a part that does not exist being taken for one that does.
    #[test]
    fn shards_parse_as_they_print() {
        assert_eq!("2/8".parse::<Shard>().unwrap().to_string(), "2/8");
        for text in ["0/8", "9/8", "2", "a/b", "1/0", "-1/2", ""] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
