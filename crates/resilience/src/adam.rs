//! Adam (Kingma and Ba 2015) on images, each of which has taken its own number of steps.

use tch::Tensor;

use crate::error::EngineError;
use crate::rows::{choose, per_row};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The means of gradients so far, and of their squares; like the images.
#[derive(Debug)]
pub struct Adam {
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    /// Before the first step on such images.
    pub fn of(images: &Tensor) -> Result<Self, EngineError> {
        Ok(Self { mean: images.f_zeros_like()?, square: images.f_zeros_like()? })
    }

    /// Takes one more gradient.
    pub fn gather(&mut self, gradient: &Tensor) -> Result<(), EngineError> {
        let new = gradient.f_mul_scalar(1.0 - BETA1)?;
        self.mean = self.mean.f_mul_scalar(BETA1)?.f_add(&new)?;
        let new = gradient.f_square()?.f_mul_scalar(1.0 - BETA2)?;
        self.square = self.square.f_mul_scalar(BETA2)?.f_add(&new)?;
        Ok(())
    }

    /// What to take off the images for a step of length 1, the `taken`-th of each row, from 1.
    pub fn step(&self, taken: &[i32]) -> Result<Tensor, EngineError> {
        let of_all = |beta: f64| -> Result<Tensor, EngineError> {
            let share: Vec<f64> = taken.iter().map(|&taken| 1.0 - beta.powi(taken)).collect();
            let share = Tensor::f_from_slice(&share)?.f_to_kind(self.mean.kind())?;
            per_row(&share.f_to_device(self.mean.device())?)
        };
        let length = self.square.f_div(&of_all(BETA2)?)?.f_sqrt()?.f_add_scalar(EPSILON)?;
        Ok(self.mean.f_div(&of_all(BETA1)?)?.f_div(&length)?)
    }

    /// The mean of gradients so far, as it is: smaller than theirs in the first steps.
    pub const fn mean(&self) -> &Tensor {
        &self.mean
    }

    /// Begins anew in the rows where the mask `[n]` holds.
    pub fn forget(&mut self, rows: &Tensor) -> Result<(), EngineError> {
        for tensor in [&mut self.mean, &mut self.square] {
            *tensor = choose(rows, &tensor.f_zeros_like()?, tensor)?;
        }
        Ok(())
    }

    /// Its tensors, sample first.
    pub fn tensors(&mut self) -> [&mut Tensor; 2] {
        [&mut self.mean, &mut self.square]
    }
}
