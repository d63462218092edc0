//! Two models, compared on the same images.

use serde::{Deserialize, Serialize};

use crate::threat::Norm;

/// Two models on the same images, one by one: without an attack, or after all attacks of one norm
/// and radius, to the end on both.
///
/// An image counts for a model that answers differently each time where more than half of its
/// passes are right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairSummary {
    /// The model that comes first in the run.
    pub a: String,
    /// The other one.
    pub b: String,
    /// Norm of the threat; none where the images are clean.
    pub norm: Option<Norm>,
    /// Radius, likewise.
    pub eps: Option<f64>,
    /// Radius as given, likewise.
    pub eps_text: Option<String>,
    /// Images.
    pub n: u64,
    /// Images that stand in `a` and not in `b`.
    pub only_a: u64,
    /// Images that stand in `b` and not in `a`.
    pub only_b: u64,
    /// McNemar's exact two-sided p-value of the two.
    pub p: f64,
    /// Rate of `a` less rate of `b`.
    pub difference: f64,
    /// Newcombe's 95 % interval of the difference.
    pub ci95: [f64; 2],
}
