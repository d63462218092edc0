//! What happens to pixels before a network sees them.

use std::rc::Rc;

use tch::Tensor;

use super::Normalise;
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::host::Pixels;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

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

    /// The same for our own kernels, as a program takes it.
    #[cfg(target_arch = "x86_64")]
    pub fn normalising(&self, program: Program) -> Result<Program, EngineError> {
        Ok(match self.normalise.values()? {
            Some([mean, std]) => program.normalising(&mean, &std),
            None => program,
        })
    }

    /// What such a program takes: numbers in the order of memory, `[n,h,w,c]`. Images of another
    /// size than `shape` (channels, height, width), which the network itself might take, are an
    /// error.
    #[cfg(target_arch = "x86_64")]
    pub fn pixels(&self, images: &Tensor, shape: [i64; 3]) -> Result<Pixels, EngineError> {
        let size = images.size();
        if size.get(1..) != Some(shape.as_slice()) {
            return Err(EngineError::Input {
                what: "images for the kernels",
                expected: format!("[n] and {shape:?}"),
                found: format!("{size:?}"),
            });
        }
        let _guard = tch::no_grad_guard();
        Pixels::of(&self.noisy(&images.f_detach()?)?)
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
