//! Fully connected layer.

use tch::Tensor;

use super::{Builder, Layer, Mode};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::{Program, Weights};

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
        let [weight, bias] = [&self.weight, &self.bias].map(|p| super::as_input(p, input));
        Ok(input.f_linear(&weight?, Some(&bias?))?)
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        let name = self.name.clone();
        let weight = builder.fixed(format!("{name}.weight"), &self.weight)?;
        let bias = builder.fixed(format!("{name}.bias"), &self.bias)?;
        Ok(Box::new(Self { name, weight, bias }))
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        let size = self.weight.size();
        let (numbers, bias) = (super::numbers(&self.weight)?, super::numbers(&self.bias)?);
        let channels = [size[1] as usize, size[0] as usize];
        let weights = Weights { name: &self.name, numbers: &numbers, channels, bias: &bias };
        Ok(program.linear(&weights).is_some())
    }

    fn parameters(&self) -> u64 {
        (self.weight.numel() + self.bias.numel()) as u64
    }

    fn multiply_adds(&self, _: u64, _: u64) -> u64 {
        self.weight.numel() as u64
    }
}
