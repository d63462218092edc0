//! Steps of attacks, each back into the ball.

use resilience_core::threat::{Norm, Threat};
use tch::{Device, Kind, Tensor};

use super::{project, steepest_direction};
use crate::error::EngineError;
use crate::host;
use crate::rows::per_row;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
