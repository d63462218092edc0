//! The bottleneck block (He et al. 2015), with its stride in the 3x3 convolution.

use tch::Tensor;

use super::{Builder, Conv, Layer, Mode, Window};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

/// Three convolutions with batch norm, `relu(conv3(relu(conv2(relu(conv1(x))))) + shortcut(x))`: 1x1 to
/// fewer channels, 3x3, and 1x1 to four times the width. Where channels or size change the shortcut is a
/// 1x1 convolution with batch norm, else it is x.
#[derive(Debug)]
pub struct Bottleneck {
    name: String,
    convs: [Conv; 3],
    shortcut: Option<Conv>,
    widths: [i64; 2],
    stride: i64,
}

/// What a block is like beside its name.
#[derive(Clone, Copy, Debug)]
pub struct BottleneckForm {
    /// Channels that come in.
    pub input: i64,
    /// Channels inside.
    pub inner: i64,
    /// Channels that it gives.
    pub output: i64,
    /// Pixels from one place of the 3x3 convolution to the next.
    pub stride: i64,
    /// The shortcut's name in the state dict.
    pub shortcut: &'static str,
}

impl Bottleneck {
    /// A block of that form.
    pub fn new(
        builder: &mut Builder,
        name: String,
        form: BottleneckForm,
    ) -> Result<Self, EngineError> {
        let BottleneckForm { input, inner, output, stride, shortcut } = form;
        let one = Window { size: 1, stride: 1, padding: 0 };
        let mut conv = |number: u8, channels, window| {
            let names = [format!("{name}.conv{number}"), format!("{name}.bn{number}")];
            Conv::with_norm(builder, [&names[0], &names[1]], channels, window)
        };
        let convs = [
            conv(1, [input, inner], one)?,
            conv(2, [inner, inner], Window { stride, ..Window::THREE })?,
            conv(3, [inner, output], one)?,
        ];
        let shortcut = if stride == 1 && input == output {
            None
        } else {
            let names = [format!("{name}.{shortcut}.0"), format!("{name}.{shortcut}.1")];
            let window = Window { stride, ..one };
            Some(Conv::with_norm(builder, [&names[0], &names[1]], [input, output], window)?)
        };
        Ok(Self { name, convs, shortcut, widths: [input, output], stride })
    }
}

impl Layer for Bottleneck {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> String {
        let [from, to] = self.widths;
        let halves = if self.stride == 1 { "" } else { ", halves the image" };
        format!("bottleneck block, {from} to {to}{halves}")
    }

    fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        let [first, second, third] = &self.convs;
        let inner = first.forward(input, mode)?.f_relu()?;
        let inner = second.forward(&inner, mode)?.f_relu()?;
        let around = match &self.shortcut {
            None => input.shallow_clone(),
            Some(conv) => conv.forward(input, mode)?,
        };
        Ok(third.forward(&inner, mode)?.f_add_(&around)?.f_relu()?)
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        let [first, second, third] = &self.convs;
        Ok(Box::new(Self {
            name: self.name.clone(),
            convs: [first.fold(builder)?, second.fold(builder)?, third.fold(builder)?],
            shortcut: self.shortcut.as_ref().map(|conv| conv.fold(builder)).transpose()?,
            widths: self.widths,
            stride: self.stride,
        }))
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        let input = program.top();
        let [first, second, third] = &self.convs;
        let mut inner = input;
        for conv in [first, second] {
            let Some(next) = conv.lower_at(program, inner, None)? else { return Ok(false) };
            if program.relu().is_none() {
                return Ok(false);
            }
            inner = next;
        }
        let around = match &self.shortcut {
            None => Some(input),
            Some(conv) => conv.lower_at(program, input, None)?,
        };
        if around.is_none() || third.lower_at(program, inner, around)?.is_none() {
            return Ok(false);
        }
        Ok(program.relu().is_some())
    }

    fn parameters(&self) -> u64 {
        self.convs.iter().chain(&self.shortcut).map(Conv::parameters).sum()
    }

    fn multiply_adds(&self, from: u64, to: u64) -> u64 {
        let [first, rest @ ..] = &self.convs;
        let behind = rest.iter().chain(&self.shortcut);
        first.multiply_adds(from, from) + behind.map(|conv| conv.multiply_adds(to, to)).sum::<u64>()
    }
}
