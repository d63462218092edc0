//! Two-dimensional convolution, with what stands right behind it: a bias, batch norm or nothing.

use tch::{Kind, Tensor};

use super::{BatchNorm, Builder, Layer, Mode};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::{Program, Weights};

/// What a convolution sees at once and how it moves over the image; the same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side of the kernel, in pixels.
    pub size: i64,
    /// Pixels from one place to the next.
    pub stride: i64,
    /// Zero pixels added on each side.
    pub padding: i64,
}

impl Window {
    /// 3x3, which keeps the image as large as it is.
    pub const THREE: Self = Self { size: 3, stride: 1, padding: 1 };

    /// 3x3, which halves the image.
    pub const THREE_HALVING: Self = Self { stride: 2, ..Self::THREE };

    /// 1x1, of every second pixel.
    pub const EVERY_SECOND: Self = Self { size: 1, stride: 2, padding: 0 };
}

/// A square convolution and its bias or batch norm, where it has one.
#[derive(Debug)]
pub struct Conv {
    name: String,
    weight: Tensor, // [out, in, size, size]
    shift: Shift,
    window: Window,
}

/// What comes after the kernel.
#[derive(Debug)]
enum Shift {
    Nothing,
    Bias(Tensor), // [out]
    Norm(BatchNorm),
}

impl Conv {
    /// A convolution with nothing behind it.
    pub fn plain(
        builder: &mut Builder,
        name: &str,
        channels: [i64; 2],
        window: Window,
    ) -> Result<Self, EngineError> {
        let weight = weight(builder, name, channels, window)?;
        Ok(Self { name: name.to_owned(), weight, shift: Shift::Nothing, window })
    }

    /// A convolution with a bias.
    pub fn with_bias(
        builder: &mut Builder,
        name: &str,
        channels: [i64; 2],
        window: Window,
    ) -> Result<Self, EngineError> {
        let weight = weight(builder, name, channels, window)?;
        let bias =
            builder.uniform(format!("{name}.bias"), &[channels[1]], fan_in(channels[0], window))?;
        Ok(Self { name: name.to_owned(), weight, shift: Shift::Bias(bias), window })
    }

    /// A convolution without bias, and the batch norm `norm` behind it.
    pub fn with_norm(
        builder: &mut Builder,
        [name, norm]: [&str; 2],
        channels: [i64; 2],
        window: Window,
    ) -> Result<Self, EngineError> {
        let weight = weight(builder, name, channels, window)?;
        let norm = BatchNorm::new(builder, norm, channels[1])?;
        Ok(Self { name: name.to_owned(), weight, shift: Shift::Norm(norm), window })
    }
}

impl Conv {
    /// The same convolution as it is when evaluated: fixed, with a bias in place of batch norm or
    /// nothing. The product is rounded once, from f64.
    pub fn fold(&self, builder: &mut Builder) -> Result<Self, EngineError> {
        let (weight, bias) = match &self.shift {
            Shift::Nothing => {
                let (weight, of) = (&self.weight, (Kind::Double, self.weight.device()));
                let zeros = Tensor::f_zeros(&weight.size()[..1], of)?;
                (self.weight.shallow_clone(), zeros)
            }
            Shift::Bias(bias) => (self.weight.shallow_clone(), bias.shallow_clone()),
            Shift::Norm(norm) => {
                let [scale, bias] = norm.scale_and_bias()?;
                let weight = self.weight.f_to_kind(Kind::Double)?;
                (weight.f_mul(&scale.f_view([-1, 1, 1, 1])?)?, bias)
            }
        };
        let name = self.name.clone();
        let weight = builder.fixed(format!("{name}.weight"), &weight)?;
        let shift = Shift::Bias(builder.fixed(format!("{name}.bias"), &bias)?);
        Ok(Self { name, weight, shift, window: self.window })
    }

    /// Appends it to a program, reading the slot `from`, with the slot `add` added to its result.
    /// None where there is no kernel for it.
    #[cfg(target_arch = "x86_64")]
    pub fn lower_at(
        &self,
        program: &mut Program,
        from: usize,
        add: Option<usize>,
    ) -> Result<Option<usize>, EngineError> {
        let Shift::Bias(bias) = &self.shift else { return Ok(None) };
        let size = self.weight.size();
        let (numbers, bias) = (super::numbers(&self.weight)?, super::numbers(bias)?);
        let channels = [size[1] as usize, size[0] as usize];
        let weights = Weights { name: &self.name, numbers: &numbers, channels, bias: &bias };
        Ok(program.convolution(from, &weights, self.window, add))
    }
}

impl Layer for Conv {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> String {
        let (size, Window { stride, padding, .. }) = (self.weight.size(), self.window);
        let padding = if padding > 0 { format!(", padding {padding}") } else { String::new() };
        let stride = if stride > 1 { format!(", stride {stride}") } else { String::new() };
        let norm = if matches!(self.shift, Shift::Norm(_)) { ", batch norm" } else { "" };
        format!("conv {0}x{0}, {1} to {2}{padding}{stride}{norm}", size[2], size[1], size[0])
    }

    fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        let (stride, padding) = ([self.window.stride; 2], [self.window.padding; 2]);
        let weight = super::as_input(&self.weight, input)?;
        // libtorch lets CUDA convolutions in f32 round their factors to TF32, with 10 bits of mantissa.
        // That is well enough for learning, and not for a verdict.
        let exact = mode == Mode::Eval && input.device().is_cuda();
        let convolve = |bias: Option<&Tensor>| {
            if exact {
                let (dilation, outside) = ([1, 1], [0, 0]);
                return input.f_internal_convolution(
                    &weight, bias, stride, padding, dilation, false, outside, 1, false, false,
                    true, false,
                );
            }
            input.f_conv2d(&weight, bias, stride, padding, [1, 1], 1)
        };
        match &self.shift {
            Shift::Nothing => Ok(convolve(None)?),
            Shift::Bias(bias) => Ok(convolve(Some(&super::as_input(bias, input)?))?),
            Shift::Norm(norm) => norm.forward(&convolve(None)?, mode),
        }
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(self.fold(builder)?))
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        Ok(self.lower_at(program, program.top(), None)?.is_some())
    }

    fn parameters(&self) -> u64 {
        let shift = match &self.shift {
            Shift::Nothing => 0,
            Shift::Bias(bias) => bias.numel() as u64,
            Shift::Norm(norm) => norm.parameters(),
        };
        self.weight.numel() as u64 + shift
    }

    fn multiply_adds(&self, _: u64, to: u64) -> u64 {
        self.weight.numel() as u64 * to
    }
}

fn weight(
    builder: &mut Builder,
    name: &str,
    [input, output]: [i64; 2],
    window: Window,
) -> Result<Tensor, EngineError> {
    let shape = [output, input, window.size, window.size];
    builder.uniform(format!("{name}.weight"), &shape, fan_in(input, window))
}

/// The numbers that one output is summed from.
const fn fan_in(input: i64, window: Window) -> i64 {
    input * window.size * window.size
}
