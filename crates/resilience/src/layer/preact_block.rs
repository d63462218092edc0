//! The residual block with pre-activation (He et al. 2016).

use tch::Tensor;

use super::{Builder, Conv, Layer, Mode, Norm, Window};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

/// Two 3x3 convolutions without bias behind batch norm and ReLU, `y = relu(bn1(x))`, then
/// `conv2(relu(bn2(conv1(y)))) + x`. Where it widens, the first halves the image, and a 1x1
/// convolution of `y` takes the place of `x`.
#[derive(Debug)]
pub struct PreactBlock {
    name: String,
    bn1: Norm,
    /// With `bn2`, which follows it directly.
    conv1: Conv,
    conv2: Conv,
    shortcut: Option<Conv>,
    widths: [i64; 2],
}

impl PreactBlock {
    /// A block from `widths[0]` to `widths[1]` channels.
    pub fn new(builder: &mut Builder, name: String, widths: [i64; 2]) -> Result<Self, EngineError> {
        let [input, output] = widths;
        let first = if input == output { Window::THREE } else { Window::THREE_HALVING };
        let part = |part: &str| format!("{name}.{part}");
        let bn1 = Norm::new(builder, part("bn1"), input)?;
        let conv1 = Conv::with_norm(builder, [&part("conv1"), &part("bn2")], widths, first)?;
        let conv2 = Conv::plain(builder, &part("conv2"), [output, output], Window::THREE)?;
        let shortcut = if input == output {
            None
        } else {
            Some(Conv::plain(builder, &part("shortcut.0"), widths, Window::EVERY_SECOND)?)
        };
        Ok(Self { name, bn1, conv1, conv2, shortcut, widths })
    }

    /// All convolutions.
    fn convolutions(&self) -> impl Iterator<Item = &Conv> {
        [&self.conv1, &self.conv2].into_iter().chain(&self.shortcut)
    }
}

impl Layer for PreactBlock {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> String {
        let [from, to] = self.widths;
        let halves = if from == to { "" } else { ", halves the image" };
        format!("residual block with pre-activation, {from} to {to}{halves}")
    }

    fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        let active = self.bn1.forward(input, mode)?.f_relu()?;
        let around = match &self.shortcut {
            None => input.shallow_clone(),
            Some(conv) => conv.forward(&active, mode)?,
        };
        let inner = self.conv1.forward(&active, mode)?.f_relu()?;
        Ok(self.conv2.forward(&inner, mode)?.f_add_(&around)?)
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(Self {
            name: self.name.clone(),
            bn1: self.bn1.fold(builder)?,
            conv1: self.conv1.fold(builder)?,
            conv2: self.conv2.fold(builder)?,
            shortcut: self.shortcut.as_ref().map(|conv| conv.fold(builder)).transpose()?,
            widths: self.widths,
        }))
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        let input = program.top();
        if !self.bn1.lower(program)? || program.relu().is_none() {
            return Ok(false);
        }
        let active = program.top();
        let Some(inner) = self.conv1.lower_at(program, active, None)? else { return Ok(false) };
        if program.relu().is_none() {
            return Ok(false);
        }
        let around = match &self.shortcut {
            None => Some(input),
            Some(conv) => conv.lower_at(program, active, None)?,
        };
        Ok(around.is_some() && self.conv2.lower_at(program, inner, around)?.is_some())
    }

    fn parameters(&self) -> u64 {
        self.bn1.parameters() + self.convolutions().map(Conv::parameters).sum::<u64>()
    }

    fn multiply_adds(&self, pixels: u64) -> u64 {
        // All of them give images of the block's own size.
        self.convolutions().map(|conv| conv.multiply_adds(pixels)).sum()
    }
}
