//! Mixup and CutMix: each image of a batch and its partner become one, and so do their classes.
//!
//! Sources: Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization; Yun et al. 2019, CutMix:
//! Regularization Strategy to Train Strong Classifiers with Localizable Features. As in both
//! references a batch has one share, drawn from `Beta(alpha, alpha)`, one order of partners and, for
//! CutMix, one box.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};
use resilience_core::method::Mixing;
use tch::{Kind, Tensor};

use crate::error::EngineError;
use crate::rng;
use crate::rows::select;

/// How the images of a batch are mixed.
#[derive(Debug)]
pub struct Mixed {
    /// The share of each image itself; the rest is its partner's.
    pub share: f64,
    /// The partner of each: `[n]`, i64.
    pub partners: Tensor,
    /// Where the partner's pixels stand; None where all pixels are weighted means.
    pub cut: Option<Box>,
}

/// A box of pixels: columns and rows from the first to before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Box {
    /// From and to.
    pub columns: [i64; 2],
    /// From and to.
    pub rows: [i64; 2],
}

impl Mixed {
    /// Draws how to mix images `[n,c,h,w]`.
    pub(super) fn draw(
        mixing: Mixing,
        rng: &mut ChaCha8Rng,
        images: &Tensor,
    ) -> Result<Self, EngineError> {
        let (Mixing::Mixup(alpha) | Mixing::Cutmix(alpha)) = mixing;
        let beta = Beta::new(alpha, alpha).map_err(|error| EngineError::Input {
            what: "alpha of the mixing",
            expected: "a number above 0".to_owned(),
            found: error.to_string(),
        })?;
        let share: f64 = beta.sample(rng);
        let [n, _, h, w] = [0, 1, 2, 3].map(|dim| images.size()[dim]);
        let partners: Vec<i64> =
            rng::permutation(rng, n as usize).into_iter().map(|row| row as i64).collect();
        let partners = Tensor::f_from_slice(&partners)?;
        Ok(match mixing {
            Mixing::Mixup(_) => Self { share, partners, cut: None },
            Mixing::Cutmix(_) => {
                let centre = [w, h].map(|side| rng::below(rng, side as u64) as i64);
                let cut = Box::around(centre, share, [w, h]);
                Self { share: cut.rest([w, h]), partners, cut: Some(cut) }
            }
        })
    }

    /// The partners of something of each image: `[n, …]` -> `[n, …]`.
    pub(super) fn others(&self, of: &Tensor) -> Result<Tensor, EngineError> {
        select(of, &self.partners)
    }

    /// The mixed images: `[n,c,h,w]` -> `[n,c,h,w]`.
    pub fn images(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let others = self.others(images)?;
        let Some(Box { columns, rows }) = self.cut else {
            let own = images.f_mul_scalar(self.share)?;
            return Ok(own.f_add(&others.f_mul_scalar(1.0 - self.share)?)?);
        };
        let mut mixed = images.f_empty_like()?;
        mixed.f_copy_(images)?;
        let within = |tensor: &Tensor| {
            tensor.f_narrow(2, rows[0], rows[1] - rows[0])?.f_narrow(
                3,
                columns[0],
                columns[1] - columns[0],
            )
        };
        within(&mixed)?.f_copy_(&within(&others)?)?;
        Ok(mixed)
    }
}

impl Box {
    /// The box around `centre` (column, row) that takes `1 - share` of an image of that width and
    /// height, as far as it lies within.
    #[must_use]
    pub fn around(centre: [i64; 2], share: f64, sides: [i64; 2]) -> Self {
        let cut = (1.0 - share).sqrt();
        let [columns, rows] = [0, 1].map(|axis| {
            let half = (sides[axis] as f64 * cut) as i64 / 2;
            [centre[axis] - half, centre[axis] + half].map(|edge| edge.clamp(0, sides[axis]))
        });
        Self { columns, rows }
    }

    /// The share of an image outside of it.
    #[must_use]
    pub fn rest(self, [width, height]: [i64; 2]) -> f64 {
        let area = (self.columns[1] - self.columns[0]) * (self.rows[1] - self.rows[0]);
        1.0 - area as f64 / (width * height) as f64
    }
}

/// What the loss pulls towards, for `classes` classes: the labels as they are, or shares `[n,k]` where
/// they are mixed with others or smoothed.
pub fn mixed_targets(
    labels: &Tensor,
    mixed: Option<(&Tensor, f64)>,
    classes: i64,
    smoothing: f64,
    kind: Kind,
) -> Result<Tensor, EngineError> {
    let shares = |labels: &Tensor| labels.f_one_hot(classes)?.f_to_kind(kind);
    let mut targets = match mixed {
        None if smoothing == 0.0 => return Ok(labels.shallow_clone()),
        None => shares(labels)?,
        Some((others, share)) => shares(labels)?
            .f_mul_scalar(share)?
            .f_add(&shares(others)?.f_mul_scalar(1.0 - share)?)?,
    };
    if smoothing > 0.0 {
        targets =
            targets.f_mul_scalar(1.0 - smoothing)?.f_add_scalar(smoothing / classes as f64)?;
    }
    Ok(targets)
}

/// The same in the loop's precision.
pub(super) fn targets(
    labels: &Tensor,
    mixed: Option<(&Tensor, f64)>,
    classes: i64,
    smoothing: f64,
) -> Result<Tensor, EngineError> {
    mixed_targets(labels, mixed, classes, smoothing, Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use tch::Device;

    /// Would catch shares that do not follow the Beta distribution: its mean is a half and its variance
    /// `1 / (4 (2 alpha + 1))`.
    #[test]
    fn shares_follow_the_beta_distribution() {
        let images = Tensor::zeros([4, 3, 8, 8], (Kind::Float, Device::Cpu));
        for alpha in [0.3, 1.0, 1.4] {
            let shares: Vec<f64> = (0..4000)
                .map(|step| {
                    let mut rng = stream(1, Purpose::Mixing, 1, step);
                    Mixed::draw(Mixing::Mixup(alpha), &mut rng, &images).unwrap().share
                })
                .collect();
            let n = shares.len() as f64;
            let mean = shares.iter().sum::<f64>() / n;
            let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / n;
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.03, "{alpha}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.08, "{alpha}: {variance} {expected}");
        }
    }

    /// Would catch pixels and targets that are mixed in other shares, which a model would learn wrongly
    /// without a sign of it.
    #[test]
    fn a_cut_image_has_as_many_pixels_of_its_partner_as_its_target_says() {
        let brightness = Tensor::arange(5, (Kind::Float, Device::Cpu)).view([5, 1, 1, 1]);
        let images = brightness.expand([5, 3, 32, 32], false).contiguous();
        for step in 0..50 {
            let mut rng = stream(3, Purpose::Mixing, 1, step);
            let mixed = Mixed::draw(Mixing::Cutmix(1.0), &mut rng, &images).unwrap();
            let means =
                mixed.images(&images).unwrap().mean_dim([1_i64, 2, 3].as_slice(), false, None);
            let others = mixed.others(&brightness.view([5])).unwrap();
            let expected = brightness.view([5]) * mixed.share + others * (1.0 - mixed.share);
            let apart = (means - expected).abs().max().double_value(&[]);
            assert!(apart < 1e-4, "step {step}: {apart}");
        }
    }
}
