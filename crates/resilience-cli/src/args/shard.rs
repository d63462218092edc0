//! Which part of a run is asked for.

use std::str::FromStr;

use resilience_core::plan::Shard;

/// `2/8`, `auto` or `auto/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardArg {
    /// This one.
    Given(Shard),
    /// The one that is this task's.
    Auto {
        /// In how many parts the run is, where that is not the scheduler's to say.
        of: Option<u64>,
    },
}

impl FromStr for ShardArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto { of: None });
        }
        let Some(of) = text.strip_prefix("auto/") else {
            return text.parse().map(Self::Given).map_err(|error: String| {
                format!(
                    "{error}; or auto, for the task of a Slurm array or an indexed Kubernetes job"
                )
            });
        };
        match of.parse() {
            Ok(of) if of > 0 => Ok(Self::Auto { of: Some(of) }),
            _ => {
                Err(format!("'{text}' is no shard; expected auto/M with M from 1, such as auto/8"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a part of no parts, and a word that is taken for `auto`.
    #[test]
    fn parts_are_given_or_left_to_the_scheduler() {
        let given = Shard { index: 2, of: 8 };
        for (text, shard) in [
            ("2/8", ShardArg::Given(given)),
            ("auto", ShardArg::Auto { of: None }),
            ("auto/8", ShardArg::Auto { of: Some(8) }),
        ] {
            assert_eq!(text.parse(), Ok(shard), "{text}");
        }
        for text in ["auto/0", "auto/", "auto8", "Auto", "9/8", ""] {
            let error = text.parse::<ShardArg>().unwrap_err();
            assert!(error.contains("expected"), "{text}: {error}");
        }
    }
}
