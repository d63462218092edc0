//! The direction in which a linear function grows fastest.

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use crate::error::EngineError;

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

#[cfg(test)]
mod tests {
    use super::super::distance;
    use super::*;
    use tch::{Device, Kind};

    fn images(values: &[f64]) -> Tensor {
        Tensor::from_slice(values).view([1, 1, 1, values.len() as i64])
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
}
