//! The same images judged twice: before and after an attack, or by two models.

use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

use super::{ALPHA, Table};
use crate::record::{AttackOutcome, CleanOutcome};

/// Clean and attacked predictions of the same images, compared one by one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paired {
    /// Images that were right when clean and are wrong when attacked.
    pub lost: u64,
    /// Images that were wrong when clean and are right when attacked.
    pub gained: u64,
    /// McNemar's exact two-sided p-value: how likely a split at least so uneven is, if attacked
    /// images were as often right as clean ones.
    pub p: f64,
}

impl Paired {
    /// Whether accuracy under attack is above clean accuracy by more than chance explains. For an
    /// attack made with true labels this is label leaking.
    #[must_use]
    pub fn gains(&self) -> bool {
        self.gained > self.lost && self.p < ALPHA
    }
}

/// Compares clean and attacked outcomes of the same images, in the same order.
#[must_use]
pub fn paired(clean: &[CleanOutcome], attacked: &[AttackOutcome]) -> Paired {
    let (mut lost, mut gained) = (0, 0);
    for (before, after) in clean.iter().zip(attacked) {
        match (before.predicted == before.label, after.predicted == before.label) {
            (true, false) => lost += 1,
            (false, true) => gained += 1,
            _ => {}
        }
    }
    Paired { lost, gained, p: mcnemar(lost, gained) }
}

/// McNemar's exact test: the two-sided p-value of `lost` against `gained` among the images that
/// changed sides, each side being equally likely. Source: McNemar, Psychometrika 12 (1947).
#[must_use]
pub fn mcnemar(lost: u64, gained: u64) -> f64 {
    if lost == gained {
        return 1.0;
    }
    let (fewer, more) = (lost.min(gained) as f64, lost.max(gained) as f64);
    // P(X <= k) of a binomial with n draws at 1/2 is I_{1/2}(n - k, k + 1).
    (2.0 * beta_reg(more, fewer + 1.0, 0.5)).min(1.0)
}

/// Counts where two models are right, image by image; the same images in the same order.
#[must_use]
pub fn compared(a: &[bool], b: &[bool]) -> Table {
    let mut table = Table { both: 0, only_a: 0, only_b: 0, neither: 0 };
    for pair in a.iter().zip(b) {
        match pair {
            (true, true) => table.both += 1,
            (true, false) => table.only_a += 1,
            (false, true) => table.only_b += 1,
            (false, false) => table.neither += 1,
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-12, "{got} against {expected}");
    }

    /// Would catch the chi-squared approximation, a one-sided p or one of the wrong tail. The
    /// values are exact fractions, rounded.
    #[test]
    fn mcnemar_is_exact() {
        for (lost, gained, p) in [
            (5, 15, 0.041_389_465_332_031_25),
            (100, 140, 0.011_664_092_317_677_663),
            (0, 10, 0.001_953_125),
            (10, 10, 1.0),
            (0, 0, 1.0),
            (0, 1, 1.0),
            (900, 1100, 8.457_089_535_503_927e-6),
        ] {
            close(mcnemar(lost, gained), p);
            close(mcnemar(gained, lost), p);
        }
        assert!(mcnemar(1, 5_000_000) >= 0.0);
    }

    /// Would catch a claim of label leaking that the counts do not carry.
    #[test]
    fn gains_only_beyond_chance() {
        let gains = |lost, gained| Paired { lost, gained, p: mcnemar(lost, gained) }.gains();
        assert!(gains(100, 140));
        assert!(!gains(140, 100));
        assert!(!gains(5, 9));
        assert!(!gains(0, 5), "five of five still has p = 0.0625");
    }

    /// Would catch models that change places.
    #[test]
    fn two_models_are_counted_image_by_image() {
        let (a, b) =
            ([true, true, true, false, false, true], [true, false, false, true, false, true]);
        assert_eq!(compared(&a, &b), Table { both: 2, only_a: 2, only_b: 1, neither: 1 });
    }
}
