//! How far the nearest adversarial examples lie.

use serde::{Deserialize, Serialize};

use super::{Correct, CurvePoint};
use crate::threat::Norm;

/// The nearest adversarial examples in one norm: accuracy at every radius at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistanceSummary {
    /// The norm that distances are in.
    pub norm: Norm,
    /// Accuracy without an attack, on the images that the distances are of.
    pub clean: Correct,
    /// Images that are right when clean: those that have a distance.
    pub right: u64,
    /// Those of them of which an adversarial example was found, at whatever distance.
    pub found: u64,
    /// Distances within which a quarter, half and three quarters of the right images have an adversarial
    /// example; none where so many were not found.
    pub quartiles: [Option<f64>; 3],
    /// The attacks that looked for the nearest ones, in order.
    pub attacks: Vec<NearestSummary>,
    /// What is left at growing radii, without radius 0: an upper bound everywhere. What other attacks
    /// broke in this norm counts too, at the distance of their examples.
    pub points: Vec<CurvePoint>,
    /// How many of the right images have their nearest example in which range, by growing distance and
    /// without gaps from 0 on.
    pub bins: Vec<Bin>,
    /// Images whose nearest example lies beyond the last of these ranges.
    pub beyond: u64,
}

/// An attack that looked for the nearest adversarial examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearestSummary {
    /// Place in the plan's stages, from 0.
    pub stage: u64,
    /// Registry id.
    pub id: String,
    /// Every setting by name.
    pub settings: serde_json::Value,
    /// Images of which it found an example.
    pub found: u64,
    /// The distance within which half of the right images have one of its examples; none where it found
    /// fewer.
    pub median: Option<f64>,
    /// Images of which no other attack found a nearer one.
    pub nearest: u64,
    /// Forward and backward passes in images, together.
    pub passes: u64,
    /// Wall time.
    pub seconds: f64,
}

/// A range of distances.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Above this distance, or from 0 on.
    pub low: f64,
    /// Up to this one.
    pub high: f64,
    /// So many images.
    pub images: u64,
}
