//! The basic residual block (He et al. 2015), as CIFAR ResNets have it and without batch norm.

use tch::Tensor;

use super::{Builder, Conv, Layer, Mode, Window};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

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
    /// A 1x1 convolution, with batch norm where the block has it (option B).
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
        let [conv1, conv2] = main_path(builder, &name, widths, Conv::with_norm)?;
        let added = widths[1] - widths[0];
        let shortcut = match added {
            0 => Shortcut::Identity,
            _ => Shortcut::Padded([added / 2, added - added / 2]),
        };
        Ok(Self { name, conv1, conv2, shortcut, widths })
    }

    /// A block with biases, from `widths[0]` to `widths[1]` channels; where they differ, the
    /// shortcut is a 1x1 convolution of every second pixel.
    pub fn projected(
        builder: &mut Builder,
        name: String,
        widths: [i64; 2],
    ) -> Result<Self, EngineError> {
        Self::projected_by(
            builder,
            name,
            widths,
            |builder, [conv, _], channels, window| Conv::with_bias(builder, conv, channels, window),
            "shortcut",
        )
    }

    /// A block with batch norm, from `widths[0]` to `widths[1]` channels; where they differ, the
    /// shortcut is a 1x1 convolution of every second pixel, with batch norm of its own.
    pub fn projected_with_norm(
        builder: &mut Builder,
        name: String,
        widths: [i64; 2],
    ) -> Result<Self, EngineError> {
        Self::projected_by(builder, name, widths, Conv::with_norm, "shortcut")
    }

    /// The same, whose shortcut has the name that torchvision gives it.
    pub fn downsampled(
        builder: &mut Builder,
        name: String,
        widths: [i64; 2],
    ) -> Result<Self, EngineError> {
        Self::projected_by(builder, name, widths, Conv::with_norm, "downsample")
    }

    fn projected_by(
        builder: &mut Builder,
        name: String,
        widths: [i64; 2],
        make: MakeConv,
        around: &str,
    ) -> Result<Self, EngineError> {
        let [conv1, conv2] = main_path(builder, &name, widths, make)?;
        let shortcut = if widths[0] == widths[1] {
            Shortcut::Identity
        } else {
            let names = [format!("{name}.{around}.0"), format!("{name}.{around}.1")];
            Shortcut::Projected(make(
                builder,
                [&names[0], &names[1]],
                widths,
                Window::EVERY_SECOND,
            )?)
        };
        Ok(Self { name, conv1, conv2, shortcut, widths })
    }
}

/// Makes a convolution of these names (its own and, where it has one, its batch norm's), channels
/// and window.
type MakeConv = fn(&mut Builder, [&str; 2], [i64; 2], Window) -> Result<Conv, EngineError>;

/// The two convolutions of the block of that name.
fn main_path(
    builder: &mut Builder,
    name: &str,
    widths: [i64; 2],
    make: MakeConv,
) -> Result<[Conv; 2], EngineError> {
    let [input, output] = widths;
    let mut conv = |number: u8, input: i64, window| {
        let names = [format!("{name}.conv{number}"), format!("{name}.bn{number}")];
        make(builder, [&names[0], &names[1]], [input, output], window)
    };
    Ok([conv(1, input, first_window(widths))?, conv(2, output, Window::THREE)?])
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

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        let input = program.top();
        let Some(inner) = self.conv1.lower_at(program, input, None)? else { return Ok(false) };
        if program.relu().is_none() {
            return Ok(false);
        }
        let around = match &self.shortcut {
            Shortcut::Identity => Some(input),
            Shortcut::Padded([before, _]) => {
                program.subsample(input, *before as usize, self.widths[1] as usize)
            }
            Shortcut::Projected(conv) => conv.lower_at(program, input, None)?,
        };
        if around.is_none() || self.conv2.lower_at(program, inner, around)?.is_none() {
            return Ok(false);
        }
        Ok(program.relu().is_some())
    }

    fn parameters(&self) -> u64 {
        let shortcut = match &self.shortcut {
            Shortcut::Projected(conv) => conv.parameters(),
            Shortcut::Identity | Shortcut::Padded(_) => 0,
        };
        self.conv1.parameters() + self.conv2.parameters() + shortcut
    }

    fn multiply_adds(&self, _: u64, to: u64) -> u64 {
        let shortcut = match &self.shortcut {
            Shortcut::Projected(conv) => conv.multiply_adds(to, to),
            Shortcut::Identity | Shortcut::Padded(_) => 0,
        };
        // All three give images of the block's own size.
        self.conv1.multiply_adds(to, to) + self.conv2.multiply_adds(to, to) + shortcut
    }
}
