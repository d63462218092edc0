//! Random numbers, and the points of the ball that attacks begin at.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2};

use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{TINY, length_over, nearest, project};
use crate::error::EngineError;
use crate::rng::{self, Key, Purpose};
use crate::rows::per_row;

/// Fills a row with random numbers of its own stream.
pub type Fill = fn(&mut rand_chacha::ChaCha8Rng, &mut [f32]);

/// The distribution that directions in this norm are drawn from: uniform in [-1, 1) for Linf, standard
/// normal else.
#[must_use]
pub const fn fill(norm: Norm) -> Fill {
    match norm {
        Norm::Linf => rng::fill_uniform,
        Norm::L2 | Norm::L1 => rng::fill_normal,
    }
}

/// Random numbers in the shape of `images`, in the distribution that directions in this norm are
/// drawn from ([`fill`]). Each image has its own stream.
pub fn noise(
    norm: Norm,
    images: &Tensor,
    key: Key,
    indices: &[u64],
) -> Result<Tensor, EngineError> {
    draw(images, key, indices, fill(norm))
}

/// Standard normal numbers in the shape of `images`.
pub fn normal(images: &Tensor, key: Key, indices: &[u64]) -> Result<Tensor, EngineError> {
    draw(images, key, indices, rng::fill_normal)
}

fn draw(images: &Tensor, key: Key, indices: &[u64], fill: Fill) -> Result<Tensor, EngineError> {
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
/// largest of an image's numbers reaches the radius, else the length of all does.
pub fn at_radius(
    norm: Norm,
    origins: &Tensor,
    noise: &Tensor,
    radius: f64,
) -> Result<Tensor, EngineError> {
    match norm {
        Norm::Linf | Norm::L2 => {
            let length = length_over(norm, noise, &[1, 2, 3])?.f_add_scalar(TINY)?;
            let change = noise.f_div(&length)?.f_mul_scalar(radius)?;
            Ok(origins.f_add(&change)?.f_clamp(0.0, 1.0)?)
        }
        Norm::L1 => nearest::along(origins, noise, &vec![radius; origins.size()[0] as usize]),
    }
}

/// Where APGD begins: at the radius in the direction of the noise, as [`noise`] draws it, in L1 at the
/// point of the ball and the box that is nearest to the origin with the noise as it is.
pub fn border_start(
    threat: Threat,
    origins: &Tensor,
    noise: &Tensor,
) -> Result<Tensor, EngineError> {
    match threat.norm() {
        norm @ (Norm::Linf | Norm::L2) => at_radius(norm, origins, noise, threat.eps().value()),
        Norm::L1 => project(threat, &origins.f_add(noise)?, origins),
    }
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
    // In d dimensions the volume within r grows as r^d.
    let dimensions = origins.size()[1..].iter().product::<i64>() as f64;
    match threat.norm() {
        Norm::Linf => Ok(origins.f_add(&noise.f_mul_scalar(eps)?)?.f_clamp(0.0, 1.0)?),
        Norm::L2 => {
            let radius = share.f_pow_tensor_scalar(1.0 / dimensions)?.f_mul_scalar(eps)?;
            let length = length_over(Norm::L2, noise, &[1, 2, 3])?.f_add_scalar(TINY)?;
            let change = noise.f_div(&length)?.f_mul(&per_row(&radius)?)?;
            Ok(origins.f_add(&change)?.f_clamp(0.0, 1.0)?)
        }
        Norm::L1 => {
            let radius = share.f_to_kind(Kind::Double)?.f_pow_tensor_scalar(1.0 / dimensions)?;
            let radius = Vec::<f64>::try_from(radius.f_mul_scalar(eps)?)?;
            nearest::along(origins, &laplacian(noise)?, &radius)
        }
    }
}

/// Standard normal numbers made into those of Laplace's distribution, whose directions are uniform on
/// the border of the L1 ball: `|t|` is the number that is exceeded as seldom.
fn laplacian(normal: &Tensor) -> Result<Tensor, EngineError> {
    let wide = normal.f_to_kind(Kind::Double)?;
    let seldom = wide.f_abs()?.f_mul_scalar(FRAC_1_SQRT_2)?.f_erfc()?;
    Ok(seldom.f_log()?.f_neg()?.f_mul(&wide.f_sign()?)?.f_to_kind(normal.kind())?)
}

/// The standard deviation of independent Gaussian noise whose perturbation is about `eps` large:
/// half of it for Linf; with d numbers an image `eps / sqrt(d)` for L2 and `eps sqrt(pi / 2) / d` for
/// L1.
#[must_use]
pub fn gaussian_deviation(threat: Threat, numbers: i64) -> f64 {
    let (eps, d) = (threat.eps().value(), numbers as f64);
    match threat.norm() {
        Norm::Linf => eps / 2.0,
        Norm::L2 => eps / d.sqrt(),
        Norm::L1 => eps * FRAC_PI_2.sqrt() / d,
    }
}

#[cfg(test)]
mod tests {
    use super::super::distance;
    use super::*;
    use tch::Device;

    /// Would catch points that are not spread evenly in the L1 ball: within half of the radius lies
    /// 2^-d of its volume, and of a point's length each number has 1 / d in the mean, of its square
    /// 2 / (d (d + 1)).
    #[test]
    fn starts_are_uniform_in_the_l1_ball() {
        let (n, d) = (20_000_i64, 3_i64);
        let threat = Threat::new(Norm::L1, "0.4".parse().unwrap()).unwrap();
        let origins = Tensor::full([n, 1, 1, d], 0.5, (Kind::Float, Device::Cpu));
        let indices: Vec<u64> = (0..n as u64).collect();
        let noise = noise(Norm::L1, &origins, Key::new(0, "x", 0), &indices).unwrap();
        let key = Key::new(1, "x", 0);
        let share = |&index| rng::uniform(&mut key.stream(Purpose::Draw, index));
        let share = Tensor::from_slice(&indices.iter().map(share).collect::<Vec<f64>>());
        let found = uniform_in_ball(threat, &origins, &noise, &share).unwrap();
        let lengths = distance(Norm::L1, &found, &origins).unwrap();
        assert!(lengths.max().double_value(&[]) <= threat.eps().value());
        let mean = |t: Tensor| t.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        assert!((mean(lengths.lt(0.2)) - 0.125).abs() < 0.01);
        let parts = (found - &origins).view([n, d]).to_kind(Kind::Double) / lengths.unsqueeze(1);
        assert!((mean(parts.square()) - 1.0 / 6.0).abs() < 0.005, "{}", mean(parts.square()));
        assert!(mean(parts).abs() < 0.01);
    }

    /// Would catch a start that is short of the radius, or out of it.
    #[test]
    fn apgd_begins_at_the_border() {
        let origins = Tensor::full([4, 3, 8, 8], 0.5, (Kind::Float, Device::Cpu));
        let indices: Vec<u64> = (0..4).collect();
        for norm in Norm::ALL {
            let threat = Threat::new(norm, "0.3".parse().unwrap()).unwrap();
            let noise = noise(norm, &origins, Key::new(0, "x", 0), &indices).unwrap();
            let start = border_start(threat, &origins, &noise).unwrap();
            let apart = distance(norm, &start, &origins).unwrap() - 0.3;
            assert!(apart.abs().max().double_value(&[]) < 1e-6, "{norm}");
        }
    }
}
