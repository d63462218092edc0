//! The way back towards the clean images.

use tch::{Kind, Tensor};

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

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

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
