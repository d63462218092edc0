//! How two measures of one group differ: what FGSM claims, and what is left of it.

use serde::Serialize;

use super::Measure;
use super::count::{Verdicts, of};
use super::figure::leaves_out_zero;
use crate::metric;

/// How two measures differ within a group, seed by seed and image by image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// What is measured.
    pub of: Measure,
    /// What is taken from it.
    pub less: Measure,
    /// On so many images: the first that both are measured on.
    pub n: u64,
    /// Mean of `of` less mean of `less`.
    pub difference: f64,
    /// Its 95 % interval, over seeds and images; of one seed over the images alone.
    pub ci95: [f64; 2],
}

impl Gap {
    /// Which two measures a group is asked for: label leaking, and what FGSM claims beyond robustness.
    pub(super) const ASKED: [[Measure; 2]; 3] = [
        [Measure::FgsmTrue, Measure::Clean],
        [Measure::FgsmTrue, Measure::Robust],
        [Measure::Claim, Measure::Clean],
    ];

    /// Whether chance does not explain it.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        leaves_out_zero(self.ci95)
    }
}

/// The gap of two measures, where every seed has both.
pub fn gap(verdicts: &[Verdicts], [first, second]: [Measure; 2]) -> Option<Gap> {
    let (mut ours, mut theirs) = (of(verdicts, first)?, of(verdicts, second)?);
    let n = ours.first()?.len().min(theirs.first()?.len());
    for images in ours.iter_mut().chain(&mut theirs) {
        images.truncate(n);
    }
    let pairs: Vec<_> = ours.into_iter().zip(theirs).map(|(of, less)| [of, less]).collect();
    let over = metric::difference_over_seeds(&pairs);
    Some(Gap { of: first, less: second, n: n as u64, difference: over.mean, ci95: over.ci95 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a gap over images that only one of the two is measured on, and a wrong sign.
    #[test]
    fn a_gap_is_over_the_images_that_both_have() {
        let seed = |fgsm: &[bool], robust: &[bool]| {
            let right =
                vec![(Measure::FgsmTrue, fgsm.to_vec()), (Measure::Robust, robust.to_vec())];
            Verdicts { seed: None, right }
        };
        let verdicts = [
            seed(&[true, true, false, false], &[true, false]),
            seed(&[true, true, false, false], &[false, false]),
        ];
        let found = gap(&verdicts, [Measure::FgsmTrue, Measure::Robust]).unwrap();
        assert_eq!(found.n, 2);
        assert!((found.difference - 0.75).abs() < 1e-12, "{found:?}");
        assert!(gap(&verdicts, [Measure::FgsmTrue, Measure::Clean]).is_none());
    }
}
