//! What the windows of the Square attack depend on the norm in, where it does not limit each pixel.

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{TINY, at_radius, nearest};
use crate::error::EngineError;

/// The length over some dimensions, which stay with one number each.
pub fn length_over(norm: Norm, change: &Tensor, dims: &[i64]) -> Result<Tensor, EngineError> {
    Ok(match norm {
        Norm::Linf => change.f_abs()?.f_amax(dims, true)?,
        Norm::L2 => change.f_square()?.f_sum_dim_intlist(dims, true, None)?.f_sqrt()?,
        Norm::L1 => change.f_abs()?.f_sum_dim_intlist(dims, true, None)?,
    })
}

/// The power of its number that a ring of a window falls off with, counted from the centre.
#[must_use]
pub const fn fall_off(norm: Norm) -> i32 {
    match norm {
        Norm::Linf | Norm::L2 => 2,
        Norm::L1 => 4,
    }
}

/// Windows `[n,c,s]` in the length that they are given: what was in them, `windows` `[n,c,1]`, and what
/// the ball leaves of the `whole` change's length `[n,1,1]`, shared by the channels. In L1 it is given c
/// times, as in the reference: the projection takes off what is too much.
pub fn refilled(
    threat: Threat,
    new: &Tensor,
    windows: &Tensor,
    whole: &Tensor,
) -> Result<Tensor, EngineError> {
    let (norm, eps, channels) = (threat.norm(), threat.eps().value(), new.size()[1] as f64);
    let wanted = match norm {
        Norm::Linf | Norm::L2 => {
            let left = whole.f_square()?.f_neg()?.f_add_scalar(eps * eps)?.f_clamp_min(0.0)?;
            left.f_div_scalar(channels)?.f_add(&windows.f_square()?)?.f_sqrt()?
        }
        Norm::L1 => {
            let left = whole.f_neg()?.f_add_scalar(eps)?.f_clamp_min(0.0)?;
            left.f_div_scalar(channels)?.f_add(windows)?.f_mul_scalar(channels)?
        }
    };
    Ok(new.f_div(&length_over(norm, new, &[2])?.f_add_scalar(TINY)?)?.f_mul(&wanted)?)
}

/// The origins with a change, in the ball and in [0, 1]: for L2 the change is brought to the radius and
/// clipped, for L1 it is projected onto the ball and the box (a hair within, as in the reference).
pub fn fitted(threat: Threat, origins: &Tensor, change: &Tensor) -> Result<Tensor, EngineError> {
    let eps = threat.eps().value();
    match threat.norm() {
        norm @ (Norm::Linf | Norm::L2) => at_radius(norm, origins, change, eps),
        Norm::L1 => nearest::nearest(&origins.f_add(change)?, origins, eps * (1.0 - 1e-6)),
    }
}
