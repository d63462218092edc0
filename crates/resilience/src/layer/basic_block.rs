//! The basic residual block (He et al. 2015), as CIFAR ResNets have it and without batch norm.

use tch::Tensor;

use super::{Builder, Conv, Layer, Mode, Window};
use crate::error::EngineError;

/// Two 3x3 convolutions, `relu(conv2(relu(conv1(x))) + shortcut(x))`. Where it widens, the first
/// halves the image.
#[derive(Debug)]
pub struct BasicBlock {
    name: String,
    conv1: Conv,
    conv2: Conv,
    shortcut: Shortcut,
    widths: [i64; 2],
}

/// The way around the convolutions.
#[derive(Debug)]
enum Shortcut {
    /// As it is.
    Identity,
    /// Every second pixel, with this many zero channels before and after the input's (option A).
    Padded([i64; 2]),
    /// A 1x1 convolution (option B).
    Projected(Conv),
}

impl BasicBlock {
    /// A block with batch norm, from `widths[0]` to `widths[1]` channels; where they differ, the
    /// shortcut takes every second pixel and adds zero channels, half of them on each side.
    pub fn padded(
        builder: &mut Builder,
        name: String,
        widths: [i64; 2],
    ) -> Result<Self, EngineError> {
        let [input, output] = widths;
        let mut conv = |number: u8, input: i64, window| {
            let names = [format!("{name}.conv{number}"), format!("{name}.bn{number}")];
            Conv::with_norm(builder, [&names[0], &names[1]], [input, output], window)
        };
        let half = (output - input) / 2;
        Ok(Self {
            conv1: conv(1, input, first_window(widths))?,
            conv2: conv(2, output, Window::THREE)?,
            shortcut: match output - input {
                0 => Shortcut::Identity,
                added => Shortcut::Padded([half, added - half]),
            },
            name,
            widths,
        })
    }

    /// A block with biases, from `widths[0]` to `widths[1]` channels; where they differ, the
    /// shortcut is a 1x1 convolution of every second pixel.
    pub fn projected(
        builder: &mut Builder,
        name: String,
        widths: [i64; 2],
    ) -> Result<Self, EngineError> {
        let [input, output] = widths;
        let mut conv = |part: &str, input: i64, window| {
            Conv::with_bias(builder, &format!("{name}.{part}"), [input, output], window)
        };
        Ok(Self {
            conv1: conv("conv1", input, first_window(widths))?,
            conv2: conv("conv2", output, Window::THREE)?,
            shortcut: if input == output {
                Shortcut::Identity
            } else {
                let every_second = Window { size: 1, stride: 2, padding: 0 };
                Shortcut::Projected(conv("shortcut.0", input, every_second)?)
            },
            name,
            widths,
        })
    }
}

const fn first_window([input, output]: [i64; 2]) -> Window {
    if input == output { Window::THREE } else { Window::THREE_HALVING }
}

impl Shortcut {
    fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        match self {
            Self::Identity => Ok(input.shallow_clone()),
            Self::Padded([before, after]) => {
                let every_second = input.f_slice(2, None, None, 2)?.f_slice(3, None, None, 2)?;
                Ok(every_second.f_constant_pad_nd([0, 0, 0, 0, *before, *after])?)
            }
            Self::Projected(conv) => conv.forward(input, mode),
        }
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
        let inner = self.conv1.forward(input, mode)?.f_relu()?;
        let mut output = self.conv2.forward(&inner, mode)?;
        Ok(output.f_add_(&self.shortcut.forward(input, mode)?)?.f_relu()?)
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(Self {
            name: self.name.clone(),
            conv1: self.conv1.fold(builder)?,
            conv2: self.conv2.fold(builder)?,
            shortcut: match &self.shortcut {
                Shortcut::Identity => Shortcut::Identity,
                Shortcut::Padded(channels) => Shortcut::Padded(*channels),
                Shortcut::Projected(conv) => Shortcut::Projected(conv.fold(builder)?),
            },
            widths: self.widths,
        }))
    }

    fn parameters(&self) -> u64 {
        let shortcut = match &self.shortcut {
            Shortcut::Projected(conv) => conv.parameters(),
            Shortcut::Identity | Shortcut::Padded(_) => 0,
        };
        self.conv1.parameters() + self.conv2.parameters() + shortcut
    }
}
