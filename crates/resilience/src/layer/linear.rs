//! Fully connected layer.

use tch::Tensor;

use super::{Builder, Layer, Mode};
use crate::error::EngineError;

/// `x W^T + b`.
#[derive(Debug)]
pub struct Linear {
    name: String,
    weight: Tensor, // [out, in]
    bias: Tensor,   // [out]
}

impl Linear {
    /// A layer from `input` to `output` features.
    pub fn new(
        builder: &mut Builder,
        name: &str,
        [input, output]: [i64; 2],
    ) -> Result<Self, EngineError> {
        let weight = builder.uniform(format!("{name}.weight"), &[output, input], input)?;
        let bias = builder.uniform(format!("{name}.bias"), &[output], input)?;
        Ok(Self { name: name.to_owned(), weight, bias })
    }
}

impl Layer for Linear {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> String {
        let size = self.weight.size();
        format!("fully connected, {} to {}", size[1], size[0])
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        Ok(input.f_linear(&self.weight, Some(&self.bias))?)
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        let name = self.name.clone();
        let weight = builder.fixed(format!("{name}.weight"), &self.weight)?;
        let bias = builder.fixed(format!("{name}.bias"), &self.bias)?;
        Ok(Box::new(Self { name, weight, bias }))
    }

    fn parameters(&self) -> u64 {
        (self.weight.numel() + self.bias.numel()) as u64
    }
}
