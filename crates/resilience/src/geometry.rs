//! A threat's geometry on tensors of images. With the core's `threat.rs` the only place that
//! matches on the norm.

mod hyperplane;

use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

pub use self::hyperplane::to_hyperplane;
use crate::error::EngineError;
use crate::rng::{self, Key, Purpose};
use crate::rows::per_row;

/// How far the arithmetic of f32 may carry an image out of its ball.
pub const TOLERANCE: f64 = 1e-6;

/// Distance of each image from its origin, in f64: `[n,c,h,w]` x `[n,c,h,w]` -> `[n]`.
pub fn distance(norm: Norm, images: &Tensor, origins: &Tensor) -> Result<Tensor, EngineError> {
    let change = images.f_to_kind(Kind::Double)?.f_sub(&origins.f_to_kind(Kind::Double)?)?;
    length(norm, &change.f_flatten(1, -1)?)
}

/// The length of each row, in its own precision: `[n,d]` -> `[n]`.
pub fn length(norm: Norm, rows: &Tensor) -> Result<Tensor, EngineError> {
    let (size, dims) = (rows.f_abs()?, [1_i64]);
    Ok(match norm {
        Norm::Linf => size.f_amax(dims, false)?,
        Norm::L2 => size.f_square()?.f_sum_dim_intlist(dims.as_slice(), false, None)?.f_sqrt()?,
        Norm::L1 => size.f_sum_dim_intlist(dims.as_slice(), false, None)?,
    })
}

/// The direction of unit length in which a linear function with this gradient grows fastest:
/// `[n,c,h,w]` -> `[n,c,h,w]`. A zero gradient gives a zero direction.
pub fn steepest_direction(norm: Norm, gradient: &Tensor) -> Result<Tensor, EngineError> {
    Ok(match norm {
        Norm::Linf => gradient.f_sign()?,
        Norm::L2 => {
            // Scaled by its largest entry first, because the squares of small ones underflow.
            let flat = gradient.f_flatten(1, -1)?; // [n, d]
            let largest = flat.f_abs()?.f_amax([1], true)?;
            let scaled = flat.f_div(&largest.f_clamp_min(f64::from(f32::MIN_POSITIVE))?)?;
            let length = scaled.f_square()?.f_sum_dim_intlist([1].as_slice(), true, None)?;
            scaled.f_div(&length.f_sqrt()?.f_clamp_min(1e-3)?)?.f_view_as(gradient)?
        }
        Norm::L1 => {
            let flat = gradient.f_flatten(1, -1)?; // [n, d]
            let largest = flat.f_abs()?.f_argmax(1, true)?; // [n, 1]
            let sign = flat.f_gather(1, &largest, false)?.f_sign()?;
            flat.f_zeros_like()?.f_scatter(1, &largest, &sign)?.f_view_as(gradient)?
        }
    })
}

/// The images moved by eps along the steepest direction, and clipped to [0, 1].
pub fn steepest_step(
    threat: Threat,
    images: &Tensor,
    gradient: &Tensor,
) -> Result<Tensor, EngineError> {
    let direction = steepest_direction(threat.norm(), gradient)?;
    let step = direction.f_mul_scalar(threat.eps().value())?;
    Ok(images.f_add(&step)?.f_clamp(0.0, 1.0)?)
}

/// The nearest images within the ball around `origins`, then clipped to [0, 1]: all of
/// `[n,c,h,w]`. For Linf that is the nearest point of both; for L2 a point of both.
pub fn project(threat: Threat, images: &Tensor, origins: &Tensor) -> Result<Tensor, EngineError> {
    let eps = threat.eps().value();
    Ok(match threat.norm() {
        Norm::Linf => {
            let (low, high) = (origins.f_sub_scalar(eps)?, origins.f_add_scalar(eps)?);
            images.f_maximum(&low)?.f_minimum(&high)?.f_clamp(0.0, 1.0)?
        }
        Norm::L2 => {
            let change = images.f_sub(origins)?;
            let length = l2_length(&change)?; // [n,1,1,1]
            let unit = change.f_div(&length.f_add_scalar(TINY)?)?;
            origins.f_add(&unit.f_mul(&length.f_clamp_max(eps)?)?)?.f_clamp(0.0, 1.0)?
        }
        Norm::L1 => return Err(no_l1("projection")),
    })
}

/// The images moved by `step` `[n]` along the direction of steepest ascent.
pub fn ascend(
    norm: Norm,
    images: &Tensor,
    gradient: &Tensor,
    step: &Tensor,
) -> Result<Tensor, EngineError> {
    Ok(images.f_add(&steepest_direction(norm, gradient)?.f_mul(&per_row(step)?)?)?)
}

/// Random numbers in the shape of `images`, in the distribution that directions in this norm are
/// drawn from: uniform in [-1, 1) for Linf, standard normal else. Each image has its own stream.
pub fn noise(
    norm: Norm,
    images: &Tensor,
    key: Key,
    indices: &[u64],
) -> Result<Tensor, EngineError> {
    let fill = match norm {
        Norm::Linf => rng::fill_uniform,
        Norm::L2 | Norm::L1 => rng::fill_normal,
    };
    draw(images, key, indices, fill)
}

/// Standard normal numbers in the shape of `images`.
pub fn normal(images: &Tensor, key: Key, indices: &[u64]) -> Result<Tensor, EngineError> {
    draw(images, key, indices, rng::fill_normal)
}

fn draw(
    images: &Tensor,
    key: Key,
    indices: &[u64],
    fill: fn(&mut rand_chacha::ChaCha8Rng, &mut [f32]),
) -> Result<Tensor, EngineError> {
    let size = images.size();
    let pixels = size[1..].iter().product::<i64>() as usize;
    let mut values = vec![0.0_f32; indices.len() * pixels];
    for (row, &index) in values.chunks_exact_mut(pixels.max(1)).zip(indices) {
        fill(&mut key.stream(Purpose::Start, index), row);
    }
    let noise = Tensor::f_from_slice(&values)?.f_view(size.as_slice())?;
    crate::layout::channels_last(&noise.f_to_kind(images.kind())?)
}

/// The origins moved by `radius` in the direction of the noise, clipped to [0, 1]: for Linf the
/// largest of an image's numbers reaches the radius, for L2 the length of all does (APGD's start).
pub fn at_radius(
    norm: Norm,
    origins: &Tensor,
    noise: &Tensor,
    radius: f64,
) -> Result<Tensor, EngineError> {
    let length = match norm {
        Norm::Linf => noise.f_abs()?.f_amax([1, 2, 3], true)?,
        Norm::L2 => l2_length(noise)?,
        Norm::L1 => return Err(no_l1("random start")),
    };
    let unit = noise.f_div(&length.f_add_scalar(TINY)?)?;
    Ok(origins.f_add(&unit.f_mul_scalar(radius)?)?.f_clamp(0.0, 1.0)?)
}

/// Points uniform in the ball, clipped to [0, 1]: `noise` as [`noise`] draws it, `share` `[n]`
/// uniform in [0, 1) for the distance (which Linf does not need).
pub fn uniform_in_ball(
    threat: Threat,
    origins: &Tensor,
    noise: &Tensor,
    share: &Tensor,
) -> Result<Tensor, EngineError> {
    let eps = threat.eps().value();
    match threat.norm() {
        Norm::Linf => Ok(origins.f_add(&noise.f_mul_scalar(eps)?)?.f_clamp(0.0, 1.0)?),
        Norm::L2 => {
            // In d dimensions the volume within r grows as r^d.
            let dimensions = origins.size()[1..].iter().product::<i64>() as f64;
            let radius = share.f_pow_tensor_scalar(1.0 / dimensions)?.f_mul_scalar(eps)?;
            let unit = noise.f_div(&l2_length(noise)?.f_add_scalar(TINY)?)?;
            Ok(origins.f_add(&unit.f_mul(&per_row(&radius)?)?)?.f_clamp(0.0, 1.0)?)
        }
        Norm::L1 => Err(no_l1("random start")),
    }
}

/// The standard deviation of independent Gaussian noise whose perturbation is about `eps` large:
/// half of it for Linf, `eps / sqrt(d)` for L2 with d numbers an image.
#[must_use]
pub fn gaussian_deviation(threat: Threat, numbers: i64) -> f64 {
    match threat.norm() {
        Norm::Linf => threat.eps().value() / 2.0,
        Norm::L2 | Norm::L1 => threat.eps().value() / (numbers as f64).sqrt(),
    }
}

/// The length of each gradient in the norm dual to `norm`: `[n,c,h,w]` -> `[n]`. It is the most
/// that a linear function with this gradient grows within the unit ball.
pub fn dual_length(norm: Norm, gradient: &Tensor) -> Result<Tensor, EngineError> {
    let dual = match norm {
        Norm::Linf => Norm::L1,
        Norm::L2 => Norm::L2,
        Norm::L1 => Norm::Linf,
    };
    length(dual, &gradient.f_flatten(1, -1)?)
}

/// Whether the ball limits every number of an image by itself, so that windows of pixels can be
/// set to its border independently.
#[must_use]
pub const fn limits_each_pixel(norm: Norm) -> bool {
    matches!(norm, Norm::Linf)
}

/// Keeps divisions by a length of 0 finite, as the reference implementations do.
const TINY: f64 = 1e-12;

fn l2_length(change: &Tensor) -> Result<Tensor, EngineError> {
    let dims = [1_i64, 2, 3];
    Ok(change.f_square()?.f_sum_dim_intlist(dims.as_slice(), true, None)?.f_sqrt()?)
}

/// No attack that needs these knows L1, so that a plan never comes here.
fn no_l1(what: &'static str) -> EngineError {
    EngineError::NormNotSupported {
        attack: what,
        norm: Norm::L1.to_string(),
        known: format!("{}, {}", Norm::Linf, Norm::L2),
    }
}

/// Whether every pixel of an image lies in [0, 1]: `[n,c,h,w]` -> `[n]`. NaN lies nowhere.
pub fn in_box(images: &Tensor) -> Result<Tensor, EngineError> {
    let inside = images.f_ge(0.0)?.f_logical_and(&images.f_le(1.0)?)?;
    Ok(inside.f_flatten(1, -1)?.f_all_dim(1, false)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn images(values: &[f64]) -> Tensor {
        Tensor::from_slice(values).view([1, 1, 1, values.len() as i64])
    }

    /// Would catch a norm computed as another: 3-4-5 and its kin.
    #[test]
    fn distances_are_those_of_their_norm() {
        let (a, b) = (images(&[0.5, 0.5, 0.5]), images(&[0.8, 0.1, 0.5]));
        for (norm, expected) in [(Norm::Linf, 0.4), (Norm::L2, 0.5), (Norm::L1, 0.7)] {
            let found = distance(norm, &a, &b).unwrap().double_value(&[0]);
            assert!((found - expected).abs() < 1e-12, "{norm}: {found}");
        }
    }

    /// Would catch a direction that is not the best of its length: on a linear function the gain
    /// of the unit ball is the dual norm of the gradient.
    #[test]
    fn the_steepest_direction_reaches_the_dual_norm() {
        let gradient = images(&[3.0, -4.0, 0.0]);
        for (norm, dual) in [(Norm::Linf, 7.0), (Norm::L2, 5.0), (Norm::L1, 4.0)] {
            let direction = steepest_direction(norm, &gradient).unwrap();
            let gain = (&direction * &gradient).sum(Kind::Double).double_value(&[]);
            let length = distance(norm, &direction, &direction.zeros_like()).unwrap();
            assert!((gain - dual).abs() < 1e-12, "{norm}: {gain}");
            assert!((length.double_value(&[0]) - 1.0).abs() < 1e-12, "{norm}");
        }
    }

    /// Would catch NaN from a division by the length of a zero gradient.
    #[test]
    fn a_zero_gradient_moves_nothing() {
        let zero = Tensor::zeros([2, 3, 4, 4], (Kind::Float, Device::Cpu));
        for norm in Norm::ALL {
            let direction = steepest_direction(norm, &zero).unwrap();
            assert!(f64::try_from(direction.abs().sum(Kind::Double)).unwrap() == 0.0, "{norm}");
        }
    }

    /// Would catch squares that underflow: the direction does not depend on the gradient's scale.
    #[test]
    fn a_tiny_gradient_has_the_same_direction() {
        let gradient = images(&[3.0, -4.0, 0.5]).to_kind(Kind::Float);
        for norm in Norm::ALL {
            let direction = steepest_direction(norm, &gradient).unwrap();
            let tiny = steepest_direction(norm, &(&gradient * 1e-30)).unwrap();
            let apart = f64::try_from((direction - tiny).abs().max()).unwrap();
            assert!(apart < 1e-6, "{norm}: {apart}");
        }
    }

    /// Would catch NaN counted as a pixel.
    #[test]
    fn nan_is_outside_the_box() {
        let rows = Tensor::from_slice(&[0.0, 1.0, 0.5, f64::NAN, 0.5, 1.1]).view([3, 1, 1, 2]);
        assert_eq!(Vec::<bool>::try_from(in_box(&rows).unwrap()).unwrap(), [true, false, false]);
    }
}
