//! Rates over several trainings, and their differences: what both the seeds and the images leave open.

use super::intervals::beta_quantile;
use super::{ALPHA, Table, clopper_pearson, compared, difference};

/// A mean over seeds and its 95 % interval.
///
/// Two things are random: the training (the seed), and which images are in the test set, which all
/// seeds share. With `A = s^2 / k` and `B = v / n` the interval is `mean ± t sqrt(A + B)`, where s is the
/// standard deviation over the k seeds, v the variance over the n images of an image's share of seeds (of
/// a difference: of the shares' difference), and t the quantile of Student's distribution with
/// `(A + B)^2 / (A^2 / (k - 1) + B^2 / (n - 1))` degrees of freedom (Welch, Biometrika 34, 1947;
/// Satterthwaite, Biometrics Bulletin 2, 1946). A part of what the images do is in both A and B, so that
/// the variance is rather too large than too small. Of one seed nothing is known of the training: the
/// interval is of the images alone, as it is where nothing varies, of seeds that all have none of the
/// images, or all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverSeeds {
    /// Mean over the seeds.
    pub mean: f64,
    /// Standard deviation over the seeds; none of one.
    pub deviation: Option<f64>,
    /// 95 % interval of the mean.
    pub ci95: [f64; 2],
}

/// The rate at which images are right, where `right[seed][image]`; all seeds on the same images.
#[must_use]
pub fn rate_over_seeds(right: &[Vec<bool>]) -> OverSeeds {
    let (by_seed, by_image) = (rates(right), shares(right));
    let mean = mean(&by_seed);
    let deviation = (right.len() > 1).then(|| variance(&by_seed).sqrt());
    let ci95 = reach(&by_seed, &by_image).map_or_else(
        || {
            let n = by_image.len() as u64;
            clopper_pearson((mean * n as f64).round() as u64, n)
        },
        |reach| [(mean - reach).max(0.0), (mean + reach).min(1.0)],
    );
    OverSeeds { mean, deviation, ci95 }
}

/// The difference of two rates on the same images, positive where the first is higher, over seeds in
/// pairs: `pairs[seed]` has what is right in the one and in the other. Of one pair, and where no pair and
/// no image differs from another, the interval is Newcombe's over the images.
#[must_use]
pub fn difference_over_seeds(pairs: &[[Vec<bool>; 2]]) -> OverSeeds {
    let [a, b] = [0, 1].map(|side| pairs.iter().map(|pair| &pair[side]).collect::<Vec<_>>());
    let by_seed = less(&rates(&a), &rates(&b));
    let by_image = less(&shares(&a), &shares(&b));
    let mean = mean(&by_seed);
    let deviation = (pairs.len() > 1).then(|| variance(&by_seed).sqrt());
    let ci95 = reach(&by_seed, &by_image)
        .map_or_else(|| of_majorities(mean, &a, &b), |reach| within(mean, reach));
    OverSeeds { mean, deviation, ci95 }
}

/// The difference of two rates on the same images, positive where `a` is higher, where nothing is known
/// of the seeds' chance: each side's trainings as they are, and the interval over the images alone. Of one
/// training a side it is Newcombe's, which agrees with McNemar's test; else `mean ± z sqrt(v / n)`, where v
/// is the variance of the difference of an image's shares, and Newcombe's where that is 0.
#[must_use]
pub fn difference_over_images(a: &[Vec<bool>], b: &[Vec<bool>]) -> OverSeeds {
    let by_image = less(&shares(a), &shares(b));
    let mean = mean(&by_image);
    let error = (variance(&by_image) / by_image.len().max(1) as f64).sqrt();
    let several = a.len() > 1 || b.len() > 1;
    let ci95 = if several && error > NOTHING {
        within(mean, Z * error)
    } else {
        of_majorities(mean, a, b)
    };
    OverSeeds { mean, deviation: None, ci95 }
}

/// The standard normal distribution's 97.5 % quantile.
const Z: f64 = 1.959_963_984_540_054;

/// Standard errors below are what rounding leaves of 0: a single image of a million is above.
const NOTHING: f64 = 1e-12;

/// How far the interval goes to both sides; none of one seed, and where nothing varies.
fn reach(by_seed: &[f64], by_image: &[f64]) -> Option<f64> {
    let (k, n) = (by_seed.len() as f64, by_image.len() as f64);
    if k < 2.0 || n < 2.0 {
        return None;
    }
    let (seeds, images) = (variance(by_seed) / k, variance(by_image) / n);
    let both = seeds + images;
    if both.sqrt() < NOTHING {
        return None;
    }
    let degrees = both.powi(2) / (seeds.powi(2) / (k - 1.0) + images.powi(2) / (n - 1.0));
    Some(student(degrees) * both.sqrt())
}

fn within(mean: f64, reach: f64) -> [f64; 2] {
    [(mean - reach).max(-1.0), (mean + reach).min(1.0)]
}

/// Newcombe's interval, an image being right where more than half of a side's trainings are; it holds the
/// mean in any case.
fn of_majorities<V: AsRef<[bool]>>(mean: f64, a: &[V], b: &[V]) -> [f64; 2] {
    let [ours, theirs] = [a, b]
        .map(|side| -> Vec<bool> { shares(side).into_iter().map(|share| share > 0.5).collect() });
    let table: Table = compared(&ours, &theirs);
    let (_, [low, high]) = difference(table);
    [low.min(mean), high.max(mean)]
}

fn less(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The rate of each seed.
fn rates<V: AsRef<[bool]>>(right: &[V]) -> Vec<f64> {
    let rate = |images: &V| {
        let images = images.as_ref();
        images.iter().filter(|&&right| right).count() as f64 / images.len().max(1) as f64
    };
    right.iter().map(rate).collect()
}

/// The share of seeds in which each image is right.
fn shares<V: AsRef<[bool]>>(right: &[V]) -> Vec<f64> {
    let n = right.first().map_or(0, |images| images.as_ref().len());
    let share = |image: usize| {
        right.iter().filter(|images| images.as_ref()[image]).count() as f64 / right.len() as f64
    };
    (0..n).map(share).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// With n - 1 in the denominator.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    squares / values.len().saturating_sub(1).max(1) as f64
}

/// What Student's distribution exceeds on neither side in 95 % of cases; its degrees of freedom need not
/// be whole.
fn student(degrees: f64) -> f64 {
    // |T| < t where a beta variable of 1/2 and degrees/2 is below t^2 / (degrees + t^2).
    let x = beta_quantile(0.5, degrees / 2.0, 1.0 - ALPHA);
    (degrees * x / (1.0 - x)).sqrt()
}

#[cfg(test)]
mod tests {

    use super::*;
    use std::slice::from_ref;

    /// Would catch a one-sided quantile or one of other degrees of freedom: values of tables, between whole
    /// ones those of `scipy.stats.t.ppf`.
    #[test]
    fn quantiles_are_students() {
        for (degrees, expected) in [
            (1.0, 12.706_204_736),
            (2.0, 4.302_652_730),
            (2.5, 3.574_654_842),
            (9.0, 2.262_157_163),
            (9_999.0, 1.960_201_264),
        ] {
            assert!((student(degrees) - expected).abs() < 1e-7, "{degrees}");
        }
    }

    fn seeds(counts: &[usize], n: usize) -> Vec<Vec<bool>> {
        counts.iter().map(|&right| (0..n).map(|image| image < right).collect()).collect()
    }

    fn pairs(a: &[usize], b: &[usize], n: usize) -> Vec<[Vec<bool>; 2]> {
        seeds(a, n).into_iter().zip(seeds(b, n)).map(|(a, b)| [a, b]).collect()
    }

    fn bits(ci95: [f64; 2]) -> [u64; 2] {
        ci95.map(f64::to_bits)
    }

    /// Would catch an interval that leaves out the seeds or the images, or lays the quantile of few seeds on
    /// the chance of many images: by hand, for rates .5, .6 and .7 of 100 images, nested.
    #[test]
    fn both_kinds_of_chance_are_in_the_interval() {
        let rate = rate_over_seeds(&seeds(&[50, 60, 70], 100));
        assert!((rate.mean - 0.6).abs() < 1e-12);
        assert!((rate.deviation.unwrap() - 0.1).abs() < 1e-12);
        // A = 0.01 / 3; shares: 50 images 1, ten 2/3, ten 1/3, thirty 0, so that B = (8 + 0.4/9 + 6.4/9 +
        // 10.8) / 99 / 100; quantile of 5.04 degrees of freedom.
        let reach = 2.564_917_500 * (0.01_f64 / 3.0 + (18.8 + 6.8 / 9.0) / 9_900.0).sqrt();
        assert!((rate.ci95[1] - (0.6 + reach)).abs() < 1e-6, "{:?} {reach}", rate.ci95);
        let one = rate_over_seeds(&seeds(&[50], 100));
        assert_eq!(bits(one.ci95), bits(clopper_pearson(50, 100)));
        assert_eq!(one.deviation, None);
    }

    /// Would catch seeds' few degrees of freedom on what the images alone leave open: where all seeds have
    /// as many right, the same images, the quantile is that of the images.
    #[test]
    fn the_images_chance_has_the_images_degrees_of_freedom() {
        let rate = rate_over_seeds(&seeds(&[500; 3], 1000));
        let reach = 1.962_341_461 * (0.25_f64 / 999.0).sqrt();
        assert!((rate.ci95[1] - (0.5 + reach)).abs() < 1e-7, "{:?} {reach}", rate.ci95);
    }

    /// Would catch a certainty of 0 % from images that happen all to be wrong.
    #[test]
    fn none_of_the_images_is_no_certainty() {
        for count in [0, 100] {
            let rate = rate_over_seeds(&seeds(&[count; 3], 100));
            assert_eq!(bits(rate.ci95), bits(clopper_pearson(count as u64, 100)));
            assert!(rate.deviation.unwrap() < 1e-12);
        }
    }

    /// Would catch a difference with the wrong sign, and one that is not paired: each seed has ten images
    /// more of a thousand.
    #[test]
    fn differences_are_paired() {
        let found = difference_over_seeds(&pairs(&[60, 62, 64], &[50, 52, 54], 1000));
        assert!((found.mean - 0.01).abs() < 1e-12);
        assert!(found.deviation.unwrap() < 1e-12, "paired, the seeds do not differ");
        // Differences of shares: six images 1, and at either end two 1/3 and two 2/3.
        let squares = 6.0 + 4.0 * (1.0 / 9.0 + 4.0 / 9.0);
        let reach = 1.962_341_461 * ((squares - 1000.0 * 0.01_f64.powi(2)) / 999.0 / 1000.0).sqrt();
        assert!((found.ci95[0] - (0.01 - reach)).abs() < 1e-7, "{:?} {reach}", found.ci95);
        let turned = difference_over_seeds(&pairs(&[50, 52, 54], &[60, 62, 64], 1000));
        assert!((turned.mean + 0.01).abs() < 1e-12);
    }

    /// Would catch a certainty from one model against one, or an interval that McNemar's test contradicts:
    /// it is Newcombe's of the table, whichever function is asked.
    #[test]
    fn of_one_model_against_one_it_is_newcombes() {
        let [ours, theirs] = &pairs(&[60], &[50], 100)[0];
        let table = Table { both: 50, only_a: 10, only_b: 0, neither: 40 };
        let (mean, ci95) = difference(table);
        let found = [
            difference_over_seeds(&[[ours.clone(), theirs.clone()]]),
            difference_over_images(from_ref(ours), from_ref(theirs)),
        ];
        for found in found {
            assert!((found.mean - mean).abs() < 1e-12 && found.deviation.is_none());
            assert_eq!(bits(found.ci95), bits(ci95));
        }
        let same = difference_over_images(from_ref(ours), from_ref(ours));
        assert!(same.ci95[0] < -0.01 && same.ci95[1] > 0.01, "{:?}", same.ci95);
    }

    /// Would catch [0, 0] from seeds that all have none of the images on both sides, and [1, 1] from all
    /// against none: by Newcombe's formula, zero of fifty both, it is 7.13 points to both sides.
    #[test]
    fn where_nothing_varies_the_images_are_left() {
        let none = difference_over_seeds(&pairs(&[0; 3], &[0; 3], 50));
        assert!((none.ci95[0] + 0.071_347_599_133_359).abs() < 1e-12, "{:?}", none.ci95);
        assert!((none.ci95[1] - 0.071_347_599_133_359).abs() < 1e-12, "{:?}", none.ci95);
        assert!(none.deviation.unwrap() < 1e-12);
        let all = difference_over_seeds(&pairs(&[50; 2], &[0; 2], 50));
        assert!((all.ci95[0] - 0.899_099_257_662_845).abs() < 1e-12, "{:?}", all.ci95);
        let uneven = difference_over_images(&seeds(&[0], 50), &seeds(&[0; 3], 50));
        assert_eq!(bits(uneven.ci95), bits(none.ci95));
    }

    /// Would catch trainings that are no pairs in pairs, or an interval that leaves one side's out: one
    /// against two, by hand; four images with shares' differences 1, 1/2, 0 and 0.
    #[test]
    fn what_is_no_pair_is_over_the_images() {
        let found = difference_over_images(&seeds(&[2], 4), &seeds(&[0, 1], 4));
        assert!((found.mean - 0.375).abs() < 1e-12 && found.deviation.is_none());
        // The first image has 1 - 1/2, the second 1 - 0: squares 1.25 less 4 times 0.375 squared.
        let reach = Z * ((1.25 - 4.0 * 0.140_625) / 3.0 / 4.0_f64).sqrt();
        assert!((found.ci95[0] - (0.375 - reach)).abs() < 1e-12, "{:?}", found.ci95);
    }
}
