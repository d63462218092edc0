//! The residual block of CIFAR ResNets (He et al. 2015, section 4.2) with shortcut option A.

use tch::Tensor;

use super::{BatchNorm, Builder, Conv, Layer, Mode};
use crate::error::EngineError;

/// Two 3x3 convolutions with batch norm; where the width grows, the shortcut takes every second
/// pixel and adds zero channels, half of them before and half after the input's.
#[derive(Debug)]
pub struct BasicBlock {
    name: String,
    conv1: Conv,
    bn1: BatchNorm,
    conv2: Conv,
    bn2: BatchNorm,
    widths: [i64; 2],
}

impl BasicBlock {
    /// A block from `widths[0]` to `widths[1]` channels; it halves the image where they differ.
    pub fn new(builder: &mut Builder, name: String, widths: [i64; 2]) -> Result<Self, EngineError> {
        let [input, output] = widths;
        let stride = if input == output { 1 } else { 2 };
        Ok(Self {
            conv1: Conv::without_bias(builder, &format!("{name}.conv1"), widths, stride)?,
            bn1: BatchNorm::new(builder, &format!("{name}.bn1"), output)?,
            conv2: Conv::without_bias(builder, &format!("{name}.conv2"), [output; 2], 1)?,
            bn2: BatchNorm::new(builder, &format!("{name}.bn2"), output)?,
            name,
            widths,
        })
    }

    fn shortcut(&self, input: &Tensor) -> Result<Tensor, EngineError> {
        let [from, to] = self.widths;
        if from == to {
            return Ok(input.shallow_clone());
        }
        let half = (to - from) / 2;
        let every_second = input.f_slice(2, None, None, 2)?.f_slice(3, None, None, 2)?;
        Ok(every_second.f_constant_pad_nd([0, 0, 0, 0, half, to - from - half])?)
    }
}

impl Layer for BasicBlock {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> String {
        let [from, to] = self.widths;
        let halves = if from == to { "" } else { ", halves the image" };
        format!("residual block, {from} to {to}{halves}")
    }

    fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        let inner = self.bn1.forward(&self.conv1.forward(input, mode)?, mode)?.f_relu()?;
        let mut output = self.bn2.forward(&self.conv2.forward(&inner, mode)?, mode)?;
        Ok(output.f_add_(&self.shortcut(input)?)?.f_relu()?)
    }

    fn parameters(&self) -> u64 {
        self.conv1.parameters()
            + self.bn1.parameters()
            + self.conv2.parameters()
            + self.bn2.parameters()
    }
}
