//! Batch norm that stands by itself, because no convolution comes right before it.

use tch::Tensor;

use super::{BatchNorm, Builder, Layer, Mode};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

/// Batch norm behind a sum, where it cannot become part of a convolution.
#[derive(Debug)]
pub struct Norm {
    name: String,
    map: Map,
}

/// What happens to each channel.
#[derive(Debug)]
enum Map {
    /// It is normalised.
    Norm(BatchNorm),
    /// What remains of that when evaluated: a factor, and a number that is added.
    Fixed { scale: Tensor, bias: Tensor }, // both [c]
}

impl Norm {
    /// Batch norm of `channels` channels.
    pub fn new(builder: &mut Builder, name: String, channels: i64) -> Result<Self, EngineError> {
        let map = Map::Norm(BatchNorm::new(builder, &name, channels)?);
        Ok(Self { name, map })
    }

    /// The same as it is when evaluated, fixed. Both numbers are rounded once, from f64.
    pub fn fold(&self, builder: &mut Builder) -> Result<Self, EngineError> {
        let [scale, bias] = match &self.map {
            Map::Norm(norm) => norm.scale_and_bias()?,
            Map::Fixed { scale, bias } => [scale.shallow_clone(), bias.shallow_clone()],
        };
        let name = self.name.clone();
        let scale = builder.fixed(format!("{name}.weight"), &scale)?;
        let bias = builder.fixed(format!("{name}.bias"), &bias)?;
        Ok(Self { name, map: Map::Fixed { scale, bias } })
    }
}

impl Layer for Norm {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> String {
        match &self.map {
            Map::Norm(_) => "batch norm".to_owned(),
            Map::Fixed { .. } => "scale and bias of each channel".to_owned(),
        }
    }

    fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        match &self.map {
            Map::Norm(norm) => norm.forward(input, mode),
            Map::Fixed { scale, bias } => {
                let [scale, bias] = [scale, bias].map(|numbers| {
                    super::as_input(numbers, input)?.f_view([-1, 1, 1]).map_err(EngineError::from)
                });
                Ok(bias?.f_addcmul(input, &scale?)?)
            }
        }
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(self.fold(builder)?))
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        let Map::Fixed { scale, bias } = &self.map else { return Ok(false) };
        Ok(program.affine(&super::numbers(scale)?, &super::numbers(bias)?).is_some())
    }

    fn parameters(&self) -> u64 {
        match &self.map {
            Map::Norm(norm) => norm.parameters(),
            Map::Fixed { scale, bias } => (scale.numel() + bias.numel()) as u64,
        }
    }
}
