//! What happens to pixels before a network sees them.

use std::rc::Rc;

use tch::Tensor;

use super::Normalise;
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::host::Pixels;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

/// Noise, where there is some, then rounding, where it is done, then normalisation.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub normalise: Rc<Normalise>,
    /// Standard deviation of the noise; 0 for none.
    pub noise: f64,
    /// So many values a pixel is rounded to, evenly from 0 to 1; none where it stays as it is.
    pub levels: Option<u32>,
}

impl Input {
    /// Images `[n,c,h,w]` in [0, 1] -> what the network itself takes.
    pub fn prepare(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        self.normalise.apply(&self.seen(images)?)
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
        Pixels::of(&self.seen(&images.f_detach()?)?)
    }

    /// Images `[n,c,h,w]` as the network sees them before normalisation. Rounding has no gradient of use:
    /// it is differentiated as if the pixels stayed as they are (BPDA, Athalye et al. 2018, Obfuscated
    /// Gradients Give a False Sense of Security).
    pub fn seen(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let images = self.noisy(images)?;
        let Some(levels) = self.levels else { return Ok(images) };
        let steps = f64::from(levels - 1);
        let rounded = images.f_detach()?.f_mul_scalar(steps)?.f_round()?.f_div_scalar(steps)?;
        // The sum is the rounded value to the bit, and its gradient that of the pixels.
        Ok(rounded.f_add(&images.f_sub(&images.f_detach()?)?)?)
    }

    fn noisy(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        if self.noise > 0.0 {
            let noise = images.f_randn_like()?.f_mul_scalar(self.noise)?;
            return Ok(images.f_add(&noise)?);
        }
        Ok(images.shallow_clone())
    }
}
