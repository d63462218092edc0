//! The way back towards the clean images.

use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::project;
use crate::error::EngineError;
use crate::host::{self, Number};

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

/// The images with changes that are longer than eps shortened to it, each along itself: for Linf number
/// by number. In L1 these are not the nearest points of the ball ([`project`]), but no number of an image
/// leaves the range between its own value and its origin's.
pub fn shortened(threat: Threat, images: &Tensor, origins: &Tensor) -> Result<Tensor, EngineError> {
    type Add = fn(f64, f64) -> f64;
    let (add, whole): (Add, fn(f64) -> f64) = match threat.norm() {
        // The nearest point shortens each number by itself.
        Norm::Linf => return project(threat, images, origins),
        Norm::L2 => (|sum, change| sum + change * change, f64::sqrt),
        Norm::L1 => (|sum, change| sum + change.abs(), |sum| sum),
    };
    let eps = threat.eps().value();
    if images.kind() == Kind::Double {
        return rows_shortened::<f64>(images, origins, eps, add, whole);
    }
    rows_shortened::<f32>(images, origins, eps, add, whole)
}

fn rows_shortened<T: Number>(
    images: &Tensor,
    origins: &Tensor,
    eps: f64,
    add: fn(f64, f64) -> f64,
    whole: fn(f64) -> f64,
) -> Result<Tensor, EngineError> {
    host::by_rows::<T, (), 2>([images, origins], |(), _, [images, origins], points| {
        let sums = host::in_lanes([images, origins], |sum, [x, x0]| add(sum, x.into() - x0.into()));
        let length = whole(sums.into_iter().sum());
        if length <= eps {
            points.copy_from_slice(images);
            return;
        }
        for (point, (&image, &origin)) in points.iter_mut().zip(images.iter().zip(origins)) {
            let (end, start): (f64, f64) = (image.into(), origin.into());
            *point = T::inwards(start + eps / length * (end - start), origin);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::distance;
    use super::*;
    use tch::Device;

    /// Would catch a change that is shortened although it is short enough, to another length, or in
    /// another direction, and f32 that rounds a point out of the ball.
    #[test]
    fn long_changes_are_shortened_along_themselves() {
        let line =
            Tensor::arange(2 * 3 * 40 * 50, (Kind::Double, Device::Cpu)).view([2, 3, 40, 50]);
        let (origins, way) = ((&line * 0.11).cos() * 0.2 + 0.5, (&line * 0.37).sin() * 0.2);
        for (norm, eps) in [(Norm::Linf, "0.1"), (Norm::L2, "3"), (Norm::L1, "500")] {
            let threat = Threat::new(norm, eps.parse().unwrap()).unwrap();
            let eps = threat.eps().value();
            let near: Tensor = &way * 0.01;
            for kind in [Kind::Double, Kind::Float] {
                let (origins, way) = (origins.to_kind(kind), way.to_kind(kind));
                let far: Tensor = &origins + &way;
                let found = shortened(threat, &far, &origins).unwrap();
                let lengths = distance(norm, &found, &origins).unwrap();
                assert!(lengths.max().double_value(&[]) <= eps + 1e-7, "{norm} {kind:?}");
                assert!(lengths.min().double_value(&[]) >= eps * (1.0 - 1e-3), "{norm} {kind:?}");
                let whole = distance(norm, &far, &origins).unwrap().view([-1, 1, 1, 1]);
                let expected: Tensor = match norm {
                    Norm::Linf => way.clamp(-eps, eps),
                    _ => &way * (eps / whole),
                };
                let apart = (found - &origins - expected).abs().max().double_value(&[]);
                assert!(apart < 1e-6, "{norm} {kind:?}: {apart}");
                let near: Tensor = &origins + near.to_kind(kind);
                assert_eq!(shortened(threat, &near, &origins).unwrap(), near);
            }
        }
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
}
