//! The words for what an attacker may do: a norm and a radius.
//!
//! Only this file and the engine's `geometry` match on [`Norm`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The norm in which a perturbation is measured, over all pixels and channels of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// The largest change of any channel of any pixel.
    Linf,
    /// The Euclidean length of the change.
    L2,
    /// The sum of absolute changes.
    L1,
}

impl Norm {
    /// Every norm, in the order in which they are listed.
    pub const ALL: [Self; 3] = [Self::Linf, Self::L2, Self::L1];

    /// The name that arguments and files use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linf => "linf",
            Self::L2 => "l2",
            Self::L1 => "l1",
        }
    }
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Norm {
    type Err = ThreatError;

    fn from_str(text: &str) -> Result<Self, ThreatError> {
        Self::ALL
            .into_iter()
            .find(|norm| norm.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| ThreatError::UnknownNorm(text.to_owned()))
    }
}

/// A radius, on the scale where a pixel lies in [0, 1]. Parses from and prints as `8/255` or `0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Eps {
    numerator: f64,
    denominator: Option<f64>,
}

impl Eps {
    /// The radius as a number.
    #[must_use]
    pub fn value(self) -> f64 {
        self.numerator / self.denominator.unwrap_or(1.0)
    }

    /// A radius from a number, which must be finite and above 0.
    pub fn new(value: f64) -> Result<Self, ThreatError> {
        Self { numerator: value, denominator: None }.checked(&value.to_string())
    }

    /// The radius that is usual for small images in this norm: 8/255 for Linf, 0.5 for L2, 12 for
    /// L1 (`RobustBench` and the literature on CIFAR-10).
    #[must_use]
    pub const fn usual(norm: Norm) -> Self {
        match norm {
            Norm::Linf => Self { numerator: 8.0, denominator: Some(255.0) },
            Norm::L2 => Self { numerator: 0.5, denominator: None },
            Norm::L1 => Self { numerator: 12.0, denominator: None },
        }
    }

    fn checked(self, text: &str) -> Result<Self, ThreatError> {
        let value = self.value();
        if value.is_finite() && value > 0.0 && self.denominator.is_none_or(|d| d > 0.0) {
            Ok(self)
        } else {
            Err(ThreatError::Eps(text.to_owned()))
        }
    }
}

impl fmt::Display for Eps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.denominator {
            Some(denominator) => format!("{}/{denominator}", self.numerator),
            None => self.numerator.to_string(),
        };
        f.pad(&text)
    }
}

impl FromStr for Eps {
    type Err = ThreatError;

    fn from_str(text: &str) -> Result<Self, ThreatError> {
        let number =
            |s: &str| s.trim().parse::<f64>().map_err(|_| ThreatError::Eps(text.to_owned()));
        let eps = match text.split_once('/') {
            Some((top, bottom)) => {
                Self { numerator: number(top)?, denominator: Some(number(bottom)?) }
            }
            None => Self { numerator: number(text)?, denominator: None },
        };
        eps.checked(text)
    }
}

impl TryFrom<String> for Eps {
    type Error = ThreatError;

    fn try_from(text: String) -> Result<Self, ThreatError> {
        text.parse()
    }
}

impl From<Eps> for String {
    fn from(eps: Eps) -> Self {
        eps.to_string()
    }
}

/// What an attacker may do to an image: move it by at most `eps` in `norm`, inside [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threat {
    norm: Norm,
    eps: Eps,
}

impl Threat {
    /// A threat; in Linf a radius above 1 reaches every image and is refused.
    pub fn new(norm: Norm, eps: Eps) -> Result<Self, ThreatError> {
        match norm {
            Norm::Linf if eps.value() > 1.0 => Err(ThreatError::EpsAboveOne(eps.to_string())),
            Norm::Linf | Norm::L2 | Norm::L1 => Ok(Self { norm, eps }),
        }
    }

    /// The norm of the perturbation.
    #[must_use]
    pub const fn norm(self) -> Norm {
        self.norm
    }

    /// The radius.
    #[must_use]
    pub const fn eps(self) -> Eps {
        self.eps
    }
}

impl fmt::Display for Threat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.norm, self.eps)
    }
}

/// A norm or radius that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThreatError {
    /// No norm has this name.
    #[error("unknown norm '{0}'; expected linf, l2 or l1")]
    UnknownNorm(String),
    /// Not a positive, finite number or fraction.
    #[error(
        "eps '{0}' is not a radius; expected a number above 0 on the scale where pixels lie in \
         [0, 1], such as 0.1 or 8/255 (to measure without an attack, use --attack none)"
    )]
    Eps(String),
    /// A Linf radius that covers the whole box.
    #[error(
        "eps '{0}' is above 1, but pixels lie in [0, 1]; for 8 steps of 8-bit pixels write 8/255"
    )]
    EpsAboveOne(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a radius that is read on the wrong scale or printed differently than given.
    #[test]
    fn eps_parses_and_prints_as_given() {
        for (text, value) in
            [("8/255", 8.0 / 255.0), ("0.1", 0.1), ("1", 1.0), ("2 / 255", 2.0 / 255.0)]
        {
            let eps: Eps = text.parse().unwrap();
            assert!((eps.value() - value).abs() < 1e-15, "{text}");
            assert_eq!(eps.to_string(), text.replace(' ', ""));
        }
    }

    /// Would catch a radius that attacks nothing being taken for a measurement.
    #[test]
    fn nonsense_is_refused() {
        for text in ["0", "-1", "8/0", "-8/-255", "inf", "nan", "", "8/255/2", "abc", "0/255"] {
            assert!(text.parse::<Eps>().is_err(), "{text}");
        }
        assert!(Threat::new(Norm::Linf, "8".parse().unwrap()).is_err());
        assert!(Threat::new(Norm::L2, "8".parse().unwrap()).is_ok());
        assert!("l3".parse::<Norm>().is_err());
    }
}
