//! How far images lie from others, and whether they lie in the box.

use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSlice};
use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use crate::error::EngineError;
use crate::host::{self, Pixels};
use crate::threads;

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

/// How many numbers of each image differ from its origin's: `[n,c,h,w]` x `[n,c,h,w]` -> `[n]`, f64.
pub fn changed(images: &Tensor, origins: &Tensor) -> Result<Tensor, EngineError> {
    let differs = images.f_ne_tensor(origins)?.f_flatten(1, -1)?;
    Ok(differs.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)?)
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
pub(super) fn larger(a: f64, b: f64) -> f64 {
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
