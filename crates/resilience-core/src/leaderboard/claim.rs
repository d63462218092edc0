//! One published figure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Percent;
use crate::threat::{Eps, Norm, ThreatError};

/// What somebody published of a network: one file, and the same fields in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its name where it was published, and that of its file.
    pub id: String,
    /// The data set's registry id, or what it would be.
    pub dataset: String,
    /// What the figure is against.
    pub threat: ThreatModel,
    /// Radius of an attack; none against corruptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eps: Option<Eps>,
    /// The suite of attacks that it was judged by; none against corruptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// What that suite left: robust accuracy. None against corruptions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub robust: Option<Percent>,
    /// Mean accuracy on corrupted images; none against an attack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupted: Option<Percent>,
    /// Robust accuracy under the strongest attack that anyone has reported, where that is lower.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_known: Option<Percent>,
    /// Whether the suite's figure is known to be too high for this network; none where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreliable: Option<bool>,
    /// Accuracy without an attack.
    pub clean: Percent,
    /// What the authors reported themselves, of `robust` or `corrupted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<Percent>,
    /// Test images that the figures are over.
    pub n: u64,
    /// Architecture as published.
    pub architecture: String,
    /// Whether it was trained on further real images.
    pub additional_data: bool,
    /// Forward passes that one answer takes.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub passes: u32,
    /// Title of the publication.
    pub title: String,
    /// Where and when it appeared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// Its address.
    pub link: String,
    /// What else must be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footnote: Option<String>,
    /// Who collected the claim.
    pub source: String,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_one(passes: &u32) -> bool {
    *passes == 1
}

impl Claim {
    /// The figure that claims of its kind are ranked by.
    #[must_use]
    pub fn figure(&self) -> Percent {
        // Reading has seen to it that one of the two is there.
        self.robust.or(self.corrupted).unwrap_or(self.clean)
    }

    /// Whether the suite's figure is known to be too high.
    #[must_use]
    pub fn is_unreliable(&self) -> bool {
        self.unreliable == Some(true)
    }
}

/// What a figure is against: attacks in a norm, or corruptions, which no attacker chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ThreatModel {
    /// The worst case within a ball.
    Norm(Norm),
    /// The mean over common corruptions (noise, blur, weather, compression).
    Corruptions,
}

impl ThreatModel {
    const CORRUPTIONS: &'static str = "corruptions";

    /// Its word in files, folders and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Norm(norm) => norm.name(),
            Self::Corruptions => Self::CORRUPTIONS,
        }
    }

    /// Its place in listings: norms in their usual order, then corruptions.
    pub(super) fn order(self) -> usize {
        match self {
            Self::Norm(norm) => Norm::ALL.iter().position(|other| *other == norm).unwrap_or(0),
            Self::Corruptions => Norm::ALL.len(),
        }
    }
}

impl fmt::Display for ThreatModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ThreatModel {
    type Err = ThreatError;

    fn from_str(text: &str) -> Result<Self, ThreatError> {
        if text.eq_ignore_ascii_case(Self::CORRUPTIONS) {
            return Ok(Self::Corruptions);
        }
        text.parse().map(Self::Norm)
    }
}

impl TryFrom<String> for ThreatModel {
    type Error = ThreatError;

    fn try_from(text: String) -> Result<Self, ThreatError> {
        text.parse()
    }
}

impl From<ThreatModel> for String {
    fn from(threat: ThreatModel) -> Self {
        threat.name().to_owned()
    }
}
