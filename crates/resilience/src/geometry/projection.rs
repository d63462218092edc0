//! Back into the ball and the box.

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{TINY, length_over, nearest};
use crate::error::EngineError;
use crate::rows::per_row;

/// The nearest images within the ball around `origins` and [0, 1]: all of `[n,c,h,w]`. For Linf and L1
/// that is the nearest point of both; for L2 the nearest of the ball, clipped: a point of both.
pub fn project(threat: Threat, images: &Tensor, origins: &Tensor) -> Result<Tensor, EngineError> {
    let eps = threat.eps().value();
    Ok(match threat.norm() {
        Norm::Linf => {
            let (low, high) = (origins.f_sub_scalar(eps)?, origins.f_add_scalar(eps)?);
            images.f_maximum(&low)?.f_minimum(&high)?.f_clamp(0.0, 1.0)?
        }
        Norm::L2 => {
            let change = images.f_sub(origins)?;
            let length = length_over(Norm::L2, &change, &[1, 2, 3])?; // [n,1,1,1]
            let unit = change.f_div(&length.f_add_scalar(TINY)?)?;
            origins.f_add(&unit.f_mul(&length.f_clamp_max(eps)?)?)?.f_clamp(0.0, 1.0)?
        }
        Norm::L1 => nearest::nearest(images, origins, eps)?,
    })
}

/// The same where every row has a radius of its own.
pub fn project_each(
    norm: Norm,
    images: &Tensor,
    origins: &Tensor,
    radii: &[f64],
) -> Result<Tensor, EngineError> {
    let radius = || -> Result<Tensor, EngineError> {
        per_row(&Tensor::f_from_slice(radii)?.f_to_kind(images.kind())?)
    };
    Ok(match norm {
        Norm::Linf => {
            let change = images.f_sub(origins)?;
            let cut = change.f_maximum(&radius()?.f_neg()?)?.f_minimum(&radius()?)?;
            origins.f_add(&cut)?.f_clamp(0.0, 1.0)?
        }
        Norm::L2 => {
            let change = images.f_sub(origins)?;
            let length = length_over(Norm::L2, &change, &[1, 2, 3])?; // [n,1,1,1]
            let share = radius()?.f_div(&length.f_clamp_min(TINY)?)?.f_clamp_max(1.0)?;
            origins.f_add(&change.f_mul(&share)?)?.f_clamp(0.0, 1.0)?
        }
        Norm::L1 => nearest::nearest_each(images, origins, radii)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    /// Would catch a row that is projected with another's radius, and a projection of its own: with one
    /// radius for all it is that onto one ball.
    #[test]
    fn rows_have_radii_of_their_own() {
        let line = Tensor::arange(3 * 3 * 4 * 5, (Kind::Double, Device::Cpu));
        let origins = ((&line * 0.7).sin() * 0.5 + 0.5).view([3, 3, 4, 5]);
        let images = &origins + (&line * 1.9).sin().view([3, 3, 4, 5]);
        for norm in Norm::ALL {
            let radii = [0.05, 0.4, 0.9];
            let found = project_each(norm, &images, &origins, &radii).unwrap();
            for (row, radius) in (0..).zip(radii) {
                let threat = Threat::new(norm, radius.to_string().parse().unwrap()).unwrap();
                let alone = project(threat, &images.narrow(0, row, 1), &origins.narrow(0, row, 1));
                let apart = (found.narrow(0, row, 1) - alone.unwrap()).abs().max();
                assert!(apart.double_value(&[]) < 1e-12, "{norm}, {radius}");
            }
        }
    }
}
