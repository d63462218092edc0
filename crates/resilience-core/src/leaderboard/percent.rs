//! A figure as it is published: per cent, with at most two decimals.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An accuracy in hundredths of a per cent, so that two figures that print alike are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent(u16);

const MOST: f64 = 10_000.0;

impl Percent {
    /// A share in [0, 1], rounded as it would be published.
    #[must_use]
    pub fn of_share(share: f64) -> Self {
        Self((share * MOST).round().clamp(0.0, MOST) as u16)
    }

    /// As a share in [0, 1].
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / MOST
    }
}

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(percent: f64) -> Result<Self, String> {
        let hundredths = (percent * 100.0).round();
        let whole = (percent * 100.0 - hundredths).abs() < 1e-6;
        if whole && (0.0..=MOST).contains(&hundredths) {
            return Ok(Self(hundredths as u16));
        }
        Err(format!(
            "{percent} is no accuracy; expected per cent from 0 to 100, two decimals at most"
        ))
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> Self {
        Self::from(percent.0) / 100.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:02}", self.0 / 100, self.0 % 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a figure that is not printed as published, or that differs from an equal one by
    /// rounding: 57.09 per cent are not 100 times the float 0.5709.
    #[test]
    fn figures_are_exact() {
        for (percent, text) in [(57.09, "57.09"), (52.4, "52.40"), (0.0, "0.00"), (100.0, "100.00")]
        {
            let read = Percent::try_from(percent).unwrap();
            assert_eq!(read.to_string(), text);
            assert_eq!(read, Percent::of_share(percent / 100.0));
            assert!((read.share() * 100.0 - percent).abs() < 1e-9);
        }
        for nonsense in [-0.01, 100.01, 57.095, f64::NAN, f64::INFINITY] {
            assert!(Percent::try_from(nonsense).is_err(), "{nonsense}");
        }
    }
}
