//! A threat's geometry on tensors of images. With the core's `threat.rs` the only place that
//! matches on the norm.

mod hyperplane;

use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSlice};
use resilience_core::threat::{Norm, Threat};
use tch::{Device, Kind, Tensor};

pub use self::hyperplane::{Approach, approach};
use crate::error::EngineError;
use crate::host::{self, Number, Pixels};
use crate::rng::{self, Key, Purpose};
use crate::rows::per_row;
use crate::threads;

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

/// The images moved by `step` along the direction of steepest ascent, then projected onto the ball
/// around `origins` and [0, 1].
pub fn projected_step(
    threat: Threat,
    origins: &Tensor,
    images: &Tensor,
    gradient: &Tensor,
    step: f64,
) -> Result<Tensor, EngineError> {
    if threat.norm() == Norm::Linf && images.kind() == Kind::Float && images.device() == Device::Cpu
    {
        // In one pass over the pixels.
        let (eps, step) = (threat.eps().value() as f32, step as f32);
        let inputs = [images, origins, gradient];
        return host::by_rows::<f32, (), 3>(inputs, |(), _, [images, origins, gradient], next| {
            let inputs = images.iter().zip(origins).zip(gradient);
            for (next, ((&x, &origin), &g)) in next.iter_mut().zip(inputs) {
                let sign = f32::from(u8::from(g > 0.0)) - f32::from(u8::from(g < 0.0));
                *next = (x + sign * step).max(origin - eps).min(origin + eps).clamp(0.0, 1.0);
            }
        });
    }
    let direction = steepest_direction(threat.norm(), gradient)?;
    project(threat, &images.f_add(&direction.f_mul_scalar(step)?)?, origins)
}

/// Where a step with momentum starts and where it may end.
pub struct Momentum<'a> {
    /// The ball.
    pub threat: Threat,
    /// Its centres, `[n,c,h,w]`.
    pub origins: &'a Tensor,
    /// Where the last step began, likewise.
    pub previous: &'a Tensor,
    /// Where it ended, likewise.
    pub current: &'a Tensor,
    /// How much of the new step is taken; the rest is of the last one.
    pub share: f64,
}

/// The images after a step of length `step` `[n]` along the steepest direction, mixed with the last
/// one: `z = project(x + step d)`, then `project(x + a (z - x) + (1 - a) (x - previous))`.
pub fn ascend_with_momentum(
    from: &Momentum,
    gradient: &Tensor,
    step: &Tensor,
) -> Result<Tensor, EngineError> {
    let (threat, x, a) = (from.threat, from.current, from.share);
    if threat.norm() == Norm::Linf && x.kind() == Kind::Float && x.device() == Device::Cpu {
        return linf_with_momentum(from, gradient, step);
    }
    let moved = ascend(threat.norm(), x, gradient, step)?;
    let z = project(threat, &moved, from.origins)?;
    let momentum = x.f_sub(from.previous)?.f_mul_scalar(1.0 - a)?;
    let mixed = x.f_add(&z.f_sub(x)?.f_mul_scalar(a)?)?.f_add(&momentum)?;
    project(threat, &mixed, from.origins)
}

/// The same for Linf, on the host and in one pass over the pixels instead of nineteen: the same
/// operations in the same order, so that no bit differs.
fn linf_with_momentum(
    from: &Momentum,
    gradient: &Tensor,
    step: &Tensor,
) -> Result<Tensor, EngineError> {
    let (eps, a) = (from.threat.eps().value() as f32, from.share as f32);
    let rest = (1.0 - from.share) as f32;
    let steps = Vec::<f32>::try_from(step.f_to_kind(Kind::Float)?)?;
    let images = [from.current, from.previous, from.origins, gradient];
    host::by_rows::<f32, (), 4>(images, |(), row, [x, previous, origins, gradient], next| {
        let step = steps[row];
        let inputs = x.iter().zip(previous).zip(origins).zip(gradient);
        for (next, (((&x, &previous), &origin), &g)) in next.iter_mut().zip(inputs) {
            let project = |value: f32| value.max(origin - eps).min(origin + eps).clamp(0.0, 1.0);
            let sign = f32::from(u8::from(g > 0.0)) - f32::from(u8::from(g < 0.0));
            let z = project(x + sign * step);
            *next = project(x + (z - x) * a + (x - previous) * rest);
        }
    })
}

/// The points at `share` of the way from the origins to the images in the rows where `back` holds, and
/// the images themselves in the others.
pub fn drawn_back(
    origins: &Tensor,
    images: &Tensor,
    back: &[bool],
    share: f64,
) -> Result<Tensor, EngineError> {
    if images.kind() == Kind::Double {
        return rows_back::<f64>(origins, images, back, share);
    }
    rows_back::<f32>(origins, images, back, share)
}

fn rows_back<T: Number>(
    origins: &Tensor,
    images: &Tensor,
    back: &[bool],
    share: f64,
) -> Result<Tensor, EngineError> {
    host::by_rows::<T, (), 2>([images, origins], |(), row, [images, origins], points| {
        if !back[row] {
            points.copy_from_slice(images);
            return;
        }
        for (point, (&image, &origin)) in points.iter_mut().zip(images.iter().zip(origins)) {
            let (image, origin): (f64, f64) = (image.into(), origin.into());
            *point = T::nearest(origin + share * (image - origin));
        }
    })
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

/// A radius within which every image of so many numbers can be turned into every other.
#[must_use]
pub fn reaches_all(norm: Norm, numbers: i64) -> f64 {
    match norm {
        Norm::Linf => 1.0,
        Norm::L2 => (numbers as f64).sqrt(),
        Norm::L1 => numbers as f64,
    }
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

/// [`distance`] and [`in_box`] of every image, on the host and in one pass over the pixels: it is
/// asked of every candidate of every step.
pub fn reach(
    norm: Norm,
    images: &Tensor,
    origins: &Tensor,
) -> Result<Vec<(f64, bool)>, EngineError> {
    if images.kind() != Kind::Float {
        let distances = Vec::<f64>::try_from(distance(norm, images, origins)?)?;
        return Ok(distances.into_iter().zip(Vec::try_from(in_box(images)?)?).collect());
    }
    let n = images.size()[0] as usize;
    let (images, origins) = (Pixels::of(images)?, Pixels::of(origins)?);
    let size = (images.len() / n.max(1)).max(1);
    let (images, origins): (&[f32], &[f32]) = (&images, &origins);
    let rows = || images.par_chunks_exact(size).zip(origins.par_chunks_exact(size));
    Ok(threads::shared(|| rows().map(|(image, origin)| reach_of(norm, image, origin)).collect()))
}

/// What is not a number is outside the box, and counts as no distance.
fn reach_of(norm: Norm, image: &[f32], origin: &[f32]) -> (f64, bool) {
    let change = |pixel: f32, origin: f32| (f64::from(pixel) - f64::from(origin)).abs();
    let both = [image, origin];
    let distance = match norm {
        Norm::Linf => host::in_lanes(both, |most, [x, x0]| larger(most, change(x, x0)))
            .into_iter()
            .fold(0.0, larger),
        Norm::L2 => host::in_lanes(both, |sum, [x, x0]| sum + change(x, x0).powi(2))
            .into_iter()
            .sum::<f64>()
            .sqrt(),
        Norm::L1 => {
            host::in_lanes(both, |sum, [x, x0]| sum + change(x, x0)).into_iter().sum::<f64>()
        }
    };
    let inside = image.iter().fold(true, |inside, pixel| inside & (0.0..=1.0).contains(pixel));
    (distance, inside)
}

/// The larger one; the first where the second is no number.
fn larger(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// Whether every pixel of an image lies in [0, 1]: `[n,c,h,w]` -> `[n]`. NaN lies nowhere.
pub fn in_box(images: &Tensor) -> Result<Tensor, EngineError> {
    let inside = images.f_ge(0.0)?.f_logical_and(&images.f_le(1.0)?)?;
    Ok(inside.f_flatten(1, -1)?.f_all_dim(1, false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Would catch a step in one pass that differs from the step in whole tensors in any bit.
    #[test]
    fn a_step_in_one_pass_is_the_same_step() {
        let threat = Threat::new(Norm::Linf, "8/255".parse().unwrap()).unwrap();
        let wave = |speed: f64| {
            let line = Tensor::arange(3 * 2 * 5 * 7, (Kind::Double, Device::Cpu)) * speed;
            let images = line.sin().view([3, 5, 7, 2]).permute([0, 3, 1, 2]);
            images.to_kind(Kind::Float)
        };
        let origins: Tensor = wave(0.7) * 0.5 + 0.5;
        let near = |speed| (&origins + wave(speed) * 0.03).clamp(0.0, 1.0);
        let (previous, current) = (near(1.3), near(2.1));
        let gradient = wave(3.3) * wave(0.1).gt(0.0).to_kind(Kind::Float);
        let step = Tensor::from_slice(&[0.06_f32, 0.003, 0.0]);
        for share in [0.75, 1.0] {
            let from = Momentum {
                threat,
                origins: &origins,
                previous: &previous,
                current: &current,
                share,
            };
            let found = ascend_with_momentum(&from, &gradient, &step).unwrap();
            let moved = ascend(Norm::Linf, &current, &gradient, &step).unwrap();
            let z = project(threat, &moved, &origins).unwrap();
            let mixed: Tensor =
                &current + (z - &current) * share + (&current - &previous) * (1.0 - share);
            assert_eq!(found, project(threat, &mixed, &origins).unwrap());
        }
        let found = projected_step(threat, &origins, &current, &gradient, 0.01).unwrap();
        let step = Tensor::full([3], f64::from(0.01_f32), (Kind::Float, Device::Cpu));
        let moved = ascend(Norm::Linf, &current, &gradient, &step).unwrap();
        assert_eq!(found, project(threat, &moved, &origins).unwrap());
    }

    /// Would catch rows that go back although they did not ask to, that stay although they did, and
    /// another share of the way.
    #[test]
    fn rows_go_back_a_share_of_their_way() {
        let line = Tensor::arange(3 * 12, (Kind::Double, Device::Cpu)).view([3, 3, 2, 2]);
        let (images, origins) = ((&line * 0.37).sin(), (&line * 0.11).cos());
        let back = [false, true, true];
        let expected: Tensor = &origins + (&images - &origins) * 0.9;
        expected.get(0).copy_(&images.get(0));
        for (kind, limit) in [(Kind::Double, 1e-15), (Kind::Float, 1e-6)] {
            let (images, origins) = (images.to_kind(kind), origins.to_kind(kind));
            let found = drawn_back(&origins, &images, &back, 0.9).unwrap();
            assert_eq!(found.kind(), kind);
            let apart = (found.to_kind(Kind::Double) - &expected).abs().max().double_value(&[]);
            assert!(apart <= limit, "{apart}");
            assert_eq!(found.get(0), images.get(0));
        }
    }

    /// Would catch a distance or a box that is measured otherwise in one pass.
    #[test]
    fn reach_is_distance_and_box() {
        let line = Tensor::arange(2 * 3 * 5 * 3, (Kind::Float, Device::Cpu));
        let images = (&line * 0.37).sin().view([2, 3, 5, 3]).abs();
        let others = (&line * 0.11).cos().view([2, 3, 5, 3]);
        for norm in Norm::ALL {
            for (a, b) in [(&images, &others), (&others, &images)] {
                let inside = Vec::<bool>::try_from(in_box(a).unwrap()).unwrap();
                let distances = Vec::<f64>::try_from(distance(norm, a, b).unwrap()).unwrap();
                for (row, (found, boxed)) in reach(norm, a, b).unwrap().into_iter().enumerate() {
                    assert!((found - distances[row]).abs() < 1e-12, "{norm}: {found}");
                    assert_eq!(boxed, inside[row]);
                }
            }
        }
    }

    /// Would catch NaN counted as a pixel.
    #[test]
    fn nan_is_outside_the_box() {
        let rows = Tensor::from_slice(&[0.0, 1.0, 0.5, f64::NAN, 0.5, 1.1]).view([3, 1, 1, 2]);
        assert_eq!(Vec::<bool>::try_from(in_box(&rows).unwrap()).unwrap(), [true, false, false]);
    }
}
