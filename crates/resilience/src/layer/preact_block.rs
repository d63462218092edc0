//! The residual block with pre-activation (He et al. 2016), in the forms that published networks have.

use tch::Tensor;

use super::{Activation, Builder, Conv, Layer, Mode, Norm, Pad, Window};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

/// Two 3x3 convolutions without bias behind batch norm and activation, `y = act(bn1(x))`, then
/// `conv2(act(bn2(conv1(y)))) + x`. Where it widens or halves the image, a convolution takes the place of
/// `x`; of what, its form says.
#[derive(Debug)]
pub struct PreactBlock {
    name: String,
    bn1: Norm,
    /// With `bn2`, which follows it directly.
    conv1: Conv,
    conv2: Conv,
    shortcut: Option<Conv>,
    size: PreactSize,
    form: &'static PreactForm,
}

/// Of what size a block is, and what it is activated by.
#[derive(Clone, Copy, Debug)]
pub struct PreactSize {
    /// Channels that come in, and channels that it gives.
    pub widths: [i64; 2],
    /// Pixels from one place of the first convolution to the next, 1 or 2.
    pub stride: i64,
    /// Behind both batch norms.
    pub activation: Activation,
}

/// In what the published blocks differ.
#[derive(Debug)]
pub struct PreactForm {
    /// Names of the first batch norm, the first convolution, the second batch norm, the second convolution
    /// and the shortcut's.
    pub names: [&'static str; 5],
    /// What the shortcut's convolution takes.
    pub shortcut: Projection,
    /// Where the zero pixels of a convolution that halves the image stand.
    pub margin: Margin,
}

/// The convolution that a shortcut is, where it is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// 1x1, of what the first activation gives.
    Activated,
    /// 1x1, of the block's input.
    Plain,
    /// 3x3, of the block's input.
    PlainThree,
}

/// The margin of a 3x3 convolution that halves the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Margin {
    /// One pixel on each side.
    Around,
    /// One pixel to the right and below, as TensorFlow has it.
    Behind,
}

impl PreactForm {
    /// As the PreActResNets for CIFAR have it.
    pub const USUAL: Self = Self {
        names: ["bn1", "conv1", "bn2", "conv2", "shortcut.0"],
        shortcut: Projection::Activated,
        margin: Margin::Around,
    };

    fn window(&self, stride: i64) -> Window {
        let padding = i64::from(!(stride == 2 && self.margin == Margin::Behind));
        Window { stride, padding, ..Window::THREE }
    }

    /// The image as a 3x3 convolution of that stride takes it.
    fn padded(&self, input: &Tensor, stride: i64) -> Result<Tensor, EngineError> {
        match self.margin {
            Margin::Behind if stride == 2 => Pad::BEHIND.around(input),
            Margin::Around | Margin::Behind => Ok(input.shallow_clone()),
        }
    }
}

impl PreactBlock {
    /// A block from `widths[0]` to `widths[1]` channels with ReLU, which halves the image where they differ.
    pub fn new(builder: &mut Builder, name: String, widths: [i64; 2]) -> Result<Self, EngineError> {
        let stride = if widths[0] == widths[1] { 1 } else { 2 };
        let size = PreactSize { widths, stride, activation: Activation::Relu };
        Self::of_form(builder, name, size, &PreactForm::USUAL)
    }

    /// A block of another form.
    pub fn of_form(
        builder: &mut Builder,
        name: String,
        size: PreactSize,
        form: &'static PreactForm,
    ) -> Result<Self, EngineError> {
        let PreactSize { widths, stride, .. } = size;
        let [input, output] = widths;
        let [bn1, conv1, bn2, conv2, shortcut] = form.names.map(|part| format!("{name}.{part}"));
        let bn1 = Norm::new(builder, bn1, input)?;
        let conv1 = Conv::with_norm(builder, [&conv1, &bn2], widths, form.window(stride))?;
        let conv2 = Conv::plain(builder, &conv2, [output, output], Window::THREE)?;
        let window = match form.shortcut {
            Projection::Activated | Projection::Plain => Window { size: 1, stride, padding: 0 },
            Projection::PlainThree => form.window(stride),
        };
        let shortcut = if input == output && stride == 1 {
            None
        } else {
            Some(Conv::plain(builder, &shortcut, widths, window)?)
        };
        Ok(Self { name, bn1, conv1, conv2, shortcut, size, form })
    }

    /// What goes around the convolutions.
    fn around(&self, input: &Tensor, active: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        let Some(conv) = &self.shortcut else { return Ok(input.shallow_clone()) };
        match self.form.shortcut {
            Projection::Activated => conv.forward(active, mode),
            Projection::Plain => conv.forward(input, mode),
            Projection::PlainThree => {
                conv.forward(&self.form.padded(input, self.size.stride)?, mode)
            }
        }
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
        let PreactSize { widths: [from, to], stride, activation } = self.size;
        let by = if activation == Activation::Relu { "" } else { " by SiLU" };
        let halves = if stride == 1 { "" } else { ", halves the image" };
        format!("residual block with pre-activation{by}, {from} to {to}{halves}")
    }

    fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        let PreactSize { stride, activation, .. } = self.size;
        let active = activation.of(&self.bn1.forward(input, mode)?)?;
        let around = self.around(input, &active, mode)?;
        let inner = self.conv1.forward(&self.form.padded(&active, stride)?, mode)?;
        Ok(self.conv2.forward(&activation.of(&inner)?, mode)?.f_add_(&around)?)
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(Self {
            name: self.name.clone(),
            bn1: self.bn1.fold(builder)?,
            conv1: self.conv1.fold(builder)?,
            conv2: self.conv2.fold(builder)?,
            shortcut: self.shortcut.as_ref().map(|conv| conv.fold(builder)).transpose()?,
            size: self.size,
            form: self.form,
        }))
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        let PreactSize { stride, activation, .. } = self.size;
        if stride == 2 && self.form.margin == Margin::Behind {
            return Ok(false);
        }
        let input = program.top();
        if !self.bn1.lower(program)? || !activation.lower_here(program) {
            return Ok(false);
        }
        let active = program.top();
        let Some(inner) = self.conv1.lower_at(program, active, None)? else { return Ok(false) };
        if !activation.lower_here(program) {
            return Ok(false);
        }
        let of = if self.form.shortcut == Projection::Activated { active } else { input };
        let around = match &self.shortcut {
            None => Some(input),
            Some(conv) => conv.lower_at(program, of, None)?,
        };
        Ok(around.is_some() && self.conv2.lower_at(program, inner, around)?.is_some())
    }

    fn parameters(&self) -> u64 {
        self.bn1.parameters() + self.convolutions().map(Conv::parameters).sum::<u64>()
    }

    fn multiply_adds(&self, _: u64, to: u64) -> u64 {
        // All of them give images of the block's own size.
        self.convolutions().map(|conv| conv.multiply_adds(to, to)).sum()
    }
}
