//! Batch normalisation (Ioffe and Szegedy 2015), with PyTorch's momentum 0.1 and epsilon 1e-5.

use tch::{Kind, Tensor};

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
        // Without running statistics libtorch has nothing to update.
        let running = |statistics| (mode != Mode::Still).then_some(statistics);
        Ok(input.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            running(&self.running_mean),
            running(&self.running_var),
            mode != Mode::Eval,
            MOMENTUM,
            EPSILON,
            true,
        )?)
    }

    /// What it is when evaluated, in f64: the factor of each channel and what is added to it.
    pub fn scale_and_bias(&self) -> Result<[Tensor; 2], EngineError> {
        let wide = |tensor: &Tensor| tensor.f_to_kind(Kind::Double);
        let deviation = wide(&self.running_var)?.f_add_scalar(EPSILON)?.f_sqrt()?;
        let scale = wide(&self.weight)?.f_div(&deviation)?;
        let bias = wide(&self.bias)?.f_sub(&wide(&self.running_mean)?.f_mul(&scale)?)?;
        Ok([scale, bias])
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> u64 {
        (self.weight.numel() + self.bias.numel()) as u64
    }
}
