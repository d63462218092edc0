//! Pure functions of what a run found: rates with exact intervals, paired tests, moves.

use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

use crate::record::{AttackOutcome, CleanOutcome};

/// Share of intervals, or of tests where nothing is to be found, that may mislead.
pub const ALPHA: f64 = 0.05;

/// The 95 % Clopper–Pearson interval of a rate of `k` among `n`: [lower, upper] in [0, 1].
///
/// It is exact: whatever the true rate, at least 95 % of such samples give an interval that
/// covers it. Source: Clopper and Pearson, Biometrika 26 (1934); lower and upper are the
/// α/2 and 1 - α/2 quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k). Of nothing (`n` = 0)
/// nothing is known: [0, 1].
///
/// # Panics
/// Where `k` exceeds `n`, which no count can.
#[must_use]
pub fn clopper_pearson(k: u64, n: u64) -> [f64; 2] {
    assert!(k <= n, "counted {k} of {n}");
    let (successes, failures) = (k as f64, (n - k) as f64);
    let lower = if k == 0 {
        0.0
    } else if k == n {
        (ALPHA / 2.0).powf(1.0 / successes)
    } else {
        beta_quantile(successes, failures + 1.0, ALPHA / 2.0)
    };
    let upper = if k == n {
        1.0
    } else if k == 0 {
        1.0 - (ALPHA / 2.0).powf(1.0 / failures)
    } else {
        beta_quantile(successes + 1.0, failures, 1.0 - ALPHA / 2.0)
    };
    [lower, upper]
}

/// The x at which the regularised incomplete beta function `I_x(a, b)` reaches `level`. It grows
/// with x, so that halving finds it to the last bit, at a cost that no count of ours can notice.
fn beta_quantile(a: f64, b: f64, level: f64) -> f64 {
    let (mut below, mut above) = (0.0_f64, 1.0_f64);
    loop {
        let middle = below.midpoint(above);
        if middle <= below || middle >= above {
            return middle;
        }
        if beta_reg(a, b, middle) < level {
            below = middle;
        } else {
            above = middle;
        }
    }
}

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

/// How many clean predictions are the true class.
#[must_use]
pub fn correct(clean: &[CleanOutcome]) -> u64 {
    clean.iter().filter(|c| c.predicted == c.label).count() as u64
}

/// How many attacked predictions are the true class; the same images in the same order.
#[must_use]
pub fn correct_attacked(clean: &[CleanOutcome], attacked: &[AttackOutcome]) -> u64 {
    clean.iter().zip(attacked).filter(|(c, a)| a.predicted == c.label).count() as u64
}

/// How many predictions the attack left as they were, right or wrong.
#[must_use]
pub fn unchanged(clean: &[CleanOutcome], attacked: &[AttackOutcome]) -> u64 {
    clean.iter().zip(attacked).filter(|(c, a)| a.predicted == c.predicted).count() as u64
}

/// Where predictions move: entry `[from][to]` counts images that were predicted `from` when clean
/// and `to` when attacked. At least `classes` rows and columns; more where a model predicts more.
#[must_use]
pub fn moves(classes: usize, clean: &[CleanOutcome], attacked: &[AttackOutcome]) -> Vec<Vec<u64>> {
    let predicted = clean.iter().map(|c| c.predicted).chain(attacked.iter().map(|a| a.predicted));
    let size = predicted.max().map_or(classes, |most| classes.max(most as usize + 1));
    let mut moves = vec![vec![0; size]; size];
    for (before, after) in clean.iter().zip(attacked) {
        moves[before.predicted as usize][after.predicted as usize] += 1;
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-12, "{got} against {expected}");
    }

    /// Would catch an interval that is approximate, one-sided or of another level. The values are
    /// sums of binomial terms in 60 decimal digits, solved by halving.
    #[test]
    fn intervals_are_exact() {
        for (k, n, lower, upper) in [
            (12, 64, 0.100_815_159_353_777_56, 0.304_622_873_695_148_2),
            (9, 64, 0.066_374_071_668_426_32, 0.250_236_835_624_011_9),
            (24, 128, 0.123_984_899_025_879_67, 0.266_016_402_500_102_15),
            (1, 3, 0.008_403_758_659_612_637, 0.905_700_675_949_753_9),
            (8557, 10_000, 0.848_659_277_253_246_9, 0.862_532_875_714_473_8),
            (9263, 10_000, 0.921_003_759_331_947_9, 0.931_346_327_920_754_7),
            (1, 10_000, 0.000_002_531_777_593_474_68, 0.000_557_036_997_947_047_4),
            (5000, 10_000, 0.490_151_380_589_980_5, 0.509_848_619_410_019_5),
        ] {
            let [low, high] = clopper_pearson(k, n);
            close(low, lower);
            close(high, upper);
        }
    }

    /// Would catch the ends, where the quantiles have closed forms and general code divides by 0.
    #[test]
    fn intervals_at_the_ends() {
        for n in [1_u64, 3, 64, 1000, 10_000] {
            let reach = (0.025_f64).powf(1.0 / n as f64);
            let ([low, high], [all_low, all_high]) = (clopper_pearson(0, n), clopper_pearson(n, n));
            close(low, 0.0);
            close(high, 1.0 - reach);
            close(all_low, reach);
            close(all_high, 1.0);
        }
        let [low, high] = clopper_pearson(0, 0);
        close(high - low, 1.0);
    }

    /// Would catch an interval that leaves its rate out, or that is not the mirror of its
    /// complement.
    #[test]
    fn intervals_contain_their_rate_and_mirror() {
        for n in 1..=40 {
            for k in 0..=n {
                let [low, high] = clopper_pearson(k, n);
                let rate = k as f64 / n as f64;
                assert!(low <= rate && rate <= high && low < high, "{k}/{n}");
                let [mirrored_low, mirrored_high] = clopper_pearson(n - k, n);
                close(1.0 - low, mirrored_high);
                close(1.0 - high, mirrored_low);
            }
        }
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

    fn clean(rows: &[(u32, u32)]) -> Vec<CleanOutcome> {
        (0..)
            .zip(rows)
            .map(|(index, &(label, predicted))| CleanOutcome {
                index,
                label,
                predicted,
                confidence: 0.5,
            })
            .collect()
    }

    fn attacked(rows: &[u32]) -> Vec<AttackOutcome> {
        (0..)
            .zip(rows)
            .map(|(index, &predicted)| AttackOutcome {
                index,
                predicted,
                confidence: 0.5,
                distance: 0.1,
            })
            .collect()
    }

    /// Would catch a robustness score that counts right answers instead of unchanged ones, and
    /// any mix-up of rows and columns.
    #[test]
    fn counts() {
        let before = clean(&[(0, 0), (0, 1), (1, 1), (2, 2), (2, 0)]);
        let after = attacked(&[0, 1, 2, 1, 2]);
        assert_eq!(correct(&before), 3);
        assert_eq!(correct_attacked(&before, &after), 2);
        assert_eq!(unchanged(&before, &after), 2);
        let expected = vec![vec![1, 0, 1], vec![0, 1, 1], vec![0, 1, 0]];
        assert_eq!(moves(3, &before, &after), expected);
        assert_eq!(moves(1, &before, &after), expected, "a model may predict more classes");
        let Paired { lost, gained, p } = paired(&before, &after);
        assert_eq!((lost, gained, p), (2, 1, 1.0));
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
}
