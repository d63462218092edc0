//! The random numbers of a training step.

use std::cell::Cell;

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use crate::error::EngineError;
use crate::geometry;
use crate::rng::{self, Key, Purpose};

/// Where a recipe's random numbers come from; each call gives new ones.
pub trait Draws {
    /// Uniform in [-1, 1), in the shape of images.
    fn uniform(&self, images: &Tensor) -> Result<Tensor, EngineError>;

    /// Standard normal, in the shape of images.
    fn normal(&self, images: &Tensor) -> Result<Tensor, EngineError>;

    /// Uniform in [0, 1), one for each image: `[n]`.
    fn shares(&self, images: &Tensor) -> Result<Tensor, EngineError>;
}

/// Points uniform in the ball around `images`, clipped to [0, 1].
pub(crate) fn in_ball(
    draws: &dyn Draws,
    threat: Threat,
    images: &Tensor,
) -> Result<Tensor, EngineError> {
    let (noise, shares) = match threat.norm() {
        Norm::Linf => (draws.uniform(images)?, Tensor::new()),
        Norm::L2 | Norm::L1 => (draws.normal(images)?, draws.shares(images)?),
    };
    geometry::uniform_in_ball(threat, images, &noise, &shares)
}

/// Numbers keyed by (seed, epoch, image, call), so that they are the same wherever a run goes on.
pub struct Keyed {
    seed: u64,
    epoch: u32,
    rows: Vec<u64>,
    call: Cell<u32>,
}

/// Calls that an epoch has room for; a recipe needs a few.
const CALLS: u32 = 16;

impl Keyed {
    /// The numbers of the images numbered `rows` in an epoch, from 1.
    #[must_use]
    pub fn new(seed: u64, epoch: u32, rows: Vec<u64>) -> Self {
        Self { seed, epoch, rows, call: Cell::new(0) }
    }

    fn key(&self) -> Key {
        let call = self.call.replace(self.call.get() + 1);
        Key::new(self.seed, "training", self.epoch * CALLS + call)
    }
}

impl Draws for Keyed {
    fn uniform(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        geometry::noise(Norm::Linf, images, self.key(), &self.rows)
    }

    fn normal(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        geometry::normal(images, self.key(), &self.rows)
    }

    fn shares(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let key = self.key();
        let share = |&row| rng::uniform(&mut key.stream(Purpose::Draw, row));
        let shares: Vec<f64> = self.rows.iter().map(share).collect();
        Ok(Tensor::f_from_slice(&shares)?.f_to_kind(images.kind())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch an image, an epoch or a call that gets the numbers of another, and numbers that
    /// depend on the company of an image.
    #[test]
    fn every_image_epoch_and_call_has_numbers_of_its_own() {
        let images = Tensor::zeros([2, 3, 4, 4], (tch::Kind::Float, tch::Device::Cpu));
        let draw = |seed, epoch, rows: [u64; 2], calls| {
            let draws = Keyed::new(seed, epoch, rows.to_vec());
            for _ in 0..calls {
                let _ = draws.uniform(&images).unwrap();
            }
            draws.uniform(&images).unwrap()
        };
        let base = draw(1, 2, [3, 4], 0);
        assert_eq!(base, draw(1, 2, [3, 4], 0));
        for other in [draw(2, 2, [3, 4], 0), draw(1, 3, [3, 4], 0), draw(1, 2, [3, 4], 1)] {
            assert_ne!(base, other);
        }
        assert_eq!(base.get(1), draw(1, 2, [9, 4], 0).get(1));
        assert_ne!(base.get(0), base.get(1));
    }
}
