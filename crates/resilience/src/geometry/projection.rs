//! Back into the ball and the box.

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{TINY, length_over, nearest};
use crate::error::EngineError;

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
