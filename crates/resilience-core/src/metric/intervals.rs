//! Exact and approximate 95 % intervals: of a rate, and of the difference of two rates over the same
//! images.

use statrs::function::beta::beta_reg;

use super::ALPHA;

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
pub(super) fn beta_quantile(a: f64, b: f64, level: f64) -> f64 {
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

/// The standard normal distribution's 97.5 % quantile, to which the intervals below reach.
const Z: f64 = 1.959_963_984_540_054;

/// The Wilson score interval of a rate of `k` among `n`, which is at least 1.
fn wilson(k: f64, n: f64) -> [f64; 2] {
    let middle = 2.0 * k + Z * Z;
    let reach = Z * (Z * Z + 4.0 * k * (1.0 - k / n)).sqrt();
    let whole = 2.0 * (n + Z * Z);
    [(middle - reach) / whole, (middle + reach) / whole]
}

/// The same images judged twice, by a model A and a model B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Right in both.
    pub both: u64,
    /// Right in A alone.
    pub only_a: u64,
    /// Right in B alone.
    pub only_b: u64,
    /// Right in neither.
    pub neither: u64,
}

/// The difference of the rates of A and of B, and its 95 % interval, in [-1, 1].
///
/// Source: Newcombe, Statistics in Medicine 17 (1998), 2635-2650, method 10: the Wilson intervals
/// of the two rates, squared and added, less what their correlation φ takes away, where φ is
/// corrected for continuity. It covers the true difference in about 95 % of samples, also where
/// few images or none tell the two apart. Of nothing nothing is known: 0 and [-1, 1].
#[must_use]
pub fn difference(table: Table) -> (f64, [f64; 2]) {
    let Table { both, only_a, only_b, neither } = table;
    let [both, only_a, only_b, neither] = [both, only_a, only_b, neither].map(|k| k as f64);
    let n = both + only_a + only_b + neither;
    if n == 0.0 {
        return (0.0, [-1.0, 1.0]);
    }
    let (a, b) = ((both + only_a) / n, (both + only_b) / n);
    let [[low_a, high_a], [low_b, high_b]] = [wilson(both + only_a, n), wilson(both + only_b, n)];
    let margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither);
    let together = match both * neither - only_a * only_b {
        positive if positive > 0.0 => (positive - n / 2.0).max(0.0),
        negative => negative,
    };
    let phi = if margins > 0.0 { together / margins.sqrt() } else { 0.0 };
    let reach = |one: f64, other: f64| {
        (one * one - 2.0 * phi * one * other + other * other).max(0.0).sqrt()
    };
    let difference = (only_a - only_b) / n;
    let low = difference - reach(a - low_a, high_b - b);
    let high = difference + reach(high_a - a, b - low_b);
    (difference, [low.max(-1.0), high.min(1.0)])
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

    const fn table(both: u64, only_a: u64, only_b: u64, neither: u64) -> Table {
        Table { both, only_a, only_b, neither }
    }

    /// Would catch another method than the one that is named, or φ without its correction. The
    /// first is the example of Newcombe's paper (0.0569 to 0.3404), the second of Altman and others,
    /// Statistics with Confidence, table 6.2 (0.011 to 0.226), the third of Fagerland and others,
    /// Statistics in Medicine 33 (2014) (-0.507 to -0.026); the digits beyond, and the other
    /// tables, are the same formula in Python.
    #[test]
    fn differences_are_newcombes() {
        for (counts, expected, low, high) in [
            (table(36, 12, 2, 0), 0.2, 0.056_929_584_003_239, 0.340_427_602_974_941),
            (
                table(14, 5, 0, 22),
                0.121_951_219_512_195,
                0.011_483_241_383_033,
                0.226_492_684_351_211,
            ),
            (
                table(1, 1, 7, 12),
                -0.285_714_285_714_286,
                -0.506_920_226_686_141,
                -0.025_559_124_164_860,
            ),
            (table(0, 0, 0, 50), 0.0, -0.071_347_599_133_359, 0.071_347_599_133_359),
            (table(30, 0, 0, 20), 0.0, -0.040_380_331_582_974, 0.040_380_331_582_974),
            (table(0, 50, 0, 0), 1.0, 0.899_099_257_662_845, 1.0),
            (table(430, 52, 18, 500), 0.034, 0.017_616_944_970_594, 0.050_318_570_093_795),
        ] {
            let (got, [lower, upper]) = difference(counts);
            close(got, expected);
            close(lower, low);
            close(upper, high);
        }
    }

    /// Would catch an interval that favours the model that is named first, or leaves out the
    /// difference.
    #[test]
    fn differences_mirror_and_contain_theirs() {
        for counts in (0..5_u64.pow(4)).map(|i| [i % 5, i / 5 % 5, i / 25 % 5, i / 125]) {
            let [both, only_a, only_b, neither] = counts;
            let (forth, [low, high]) = difference(table(both, only_a, only_b, neither));
            let (back, [mirrored_low, mirrored_high]) =
                difference(table(both, only_b, only_a, neither));
            close(forth, -back);
            close(low, -mirrored_high);
            close(high, -mirrored_low);
            assert!(low <= forth + 1e-12 && forth <= high + 1e-12, "{counts:?}");
            assert!((-1.0..=1.0).contains(&low) && (-1.0..=1.0).contains(&high), "{counts:?}");
        }
    }
}
