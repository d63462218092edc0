//! Batch normalisation (Ioffe and Szegedy 2015), with PyTorch's momentum 0.1 and epsilon 1e-5.

use tch::Tensor;

use super::{Builder, Mode};
use crate::error::EngineError;

const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;

/// Batch norm over the channels of images.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    /// Batch norm of `channels` channels.
    pub fn new(builder: &mut Builder, name: &str, channels: i64) -> Result<Self, EngineError> {
        Ok(Self {
            weight: builder.filled(format!("{name}.weight"), channels, 1.0)?,
            bias: builder.filled(format!("{name}.bias"), channels, 0.0)?,
            running_mean: builder.buffer(format!("{name}.running_mean"), channels, 0.0)?,
            running_var: builder.buffer(format!("{name}.running_var"), channels, 1.0)?,
        })
    }

    /// The channels of images `[n,c,h,w]`, normalised.
    pub fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        Ok(input.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            mode == Mode::Train,
            MOMENTUM,
            EPSILON,
            true,
        )?)
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> u64 {
        (self.weight.numel() + self.bias.numel()) as u64
    }
}
