//! What happens to pixels before a network sees them.

use std::rc::Rc;

use tch::Tensor;

use super::Normalise;
use crate::error::EngineError;

/// Noise, where there is some, then normalisation.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub normalise: Rc<Normalise>,
    /// Standard deviation of the noise; 0 for none.
    pub noise: f64,
}

impl Input {
    /// Images `[n,c,h,w]` in [0, 1] -> what the network itself takes.
    pub fn prepare(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        self.normalise.apply(&self.noisy(images)?)
    }

    /// Images `[n,c,h,w]` with their noise.
    pub fn noisy(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        if self.noise > 0.0 {
            let noise = images.f_randn_like()?.f_mul_scalar(self.noise)?;
            return Ok(images.f_add(&noise)?);
        }
        Ok(images.shallow_clone())
    }
}
