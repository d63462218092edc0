//! Two-dimensional convolution.

use tch::Tensor;

use super::{Builder, Layer, Mode};
use crate::error::EngineError;

/// A square convolution with padding, with or without bias.
#[derive(Debug)]
pub struct Conv {
    name: String,
    weight: Tensor, // [out, in, size, size]
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
}

impl Conv {
    /// A 3x3 convolution with padding 1 and a bias.
    pub fn with_bias(
        builder: &mut Builder,
        name: &str,
        channels: [i64; 2],
    ) -> Result<Self, EngineError> {
        let mut conv = Self::without_bias(builder, name, channels, 1)?;
        let fan_in = channels[0] * 9;
        conv.bias = Some(builder.uniform(format!("{name}.bias"), &[channels[1]], fan_in)?);
        Ok(conv)
    }

    /// A 3x3 convolution with padding 1, to be followed by batch norm.
    pub fn without_bias(
        builder: &mut Builder,
        name: &str,
        [input, output]: [i64; 2],
        stride: i64,
    ) -> Result<Self, EngineError> {
        let weight =
            builder.uniform(format!("{name}.weight"), &[output, input, 3, 3], input * 9)?;
        Ok(Self { name: name.to_owned(), weight, bias: None, stride, padding: 1 })
    }
}

impl Layer for Conv {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> String {
        let size = self.weight.size();
        let stride =
            if self.stride == 1 { String::new() } else { format!(", stride {}", self.stride) };
        format!(
            "conv {0}x{0}, {1} to {2}, padding {3}{stride}",
            size[2], size[1], size[0], self.padding
        )
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        Ok(input.f_conv2d(&self.weight, self.bias.as_ref(), stride, padding, [1, 1], 1)?)
    }

    fn parameters(&self) -> u64 {
        (self.weight.numel() + self.bias.as_ref().map_or(0, Tensor::numel)) as u64
    }
}
