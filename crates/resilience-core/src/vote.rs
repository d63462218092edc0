//! How the members of an ensemble are joined.

use serde::{Deserialize, Serialize};

/// What the logits of an ensemble are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vote {
    /// The mean of the members' logits.
    Logits,
    /// The logarithm of the mean of their softmax probabilities, so that its softmax is that mean.
    Probabilities,
    /// The number of members that vote for each class; between equal numbers the mean probability
    /// decides. It is piecewise constant, and has no gradient that is of use.
    Majority,
}

impl Vote {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Logits, Self::Probabilities, Self::Majority];

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::Probabilities => "probabilities",
            Self::Majority => "majority",
        }
    }

    /// What it is, for a person.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Logits => "the mean of its members' logits",
            Self::Probabilities => "the mean of its members' probabilities",
            Self::Majority => "the class that most of its members vote for",
        }
    }

    /// Whether gradients are those of the vote itself.
    #[must_use]
    pub const fn is_differentiable(self) -> bool {
        !matches!(self, Self::Majority)
    }

    /// What gradients are of: the vote itself, or what stands in for it where it has none (BPDA,
    /// Athalye et al. 2018).
    #[must_use]
    pub const fn gradients_of(self) -> Self {
        match self {
            Self::Logits => Self::Logits,
            Self::Probabilities | Self::Majority => Self::Probabilities,
        }
    }

    /// The vote of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|vote| vote.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a vote that files cannot name, and a stand-in that has no gradient either.
    #[test]
    fn votes_are_what_they_are_called() {
        for vote in Vote::ALL {
            assert_eq!(Vote::find(vote.name()), Some(vote));
            assert_eq!(serde_json::to_value(vote).unwrap(), vote.name());
            assert!(vote.gradients_of().is_differentiable());
            assert_eq!(vote.is_differentiable(), vote.gradients_of() == vote);
        }
        assert_eq!(Vote::find("mode"), None);
    }
}
