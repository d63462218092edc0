//! What stands between two layers of weights.

use tch::Tensor;

use super::{Builder, Layer, Mode};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

/// A function of each value alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x sigmoid(x), also called Swish (Ramachandran et al. 2017).
    Silu,
}

impl Activation {
    /// Their names in parameters of architectures.
    pub const NAMES: [&'static str; 2] = ["relu", "silu"];

    /// The one of that name; ReLU for any other.
    #[must_use]
    pub fn named(name: &str) -> Self {
        if name == Self::NAMES[1] { Self::Silu } else { Self::Relu }
    }

    /// Of every value.
    pub fn of(self, input: &Tensor) -> Result<Tensor, EngineError> {
        Ok(match self {
            Self::Relu => input.f_relu()?,
            Self::Silu => input.f_silu()?,
        })
    }

    /// Appends it to a program. False where there is no kernel for it.
    #[cfg(target_arch = "x86_64")]
    pub fn lower_here(self, program: &mut Program) -> bool {
        self == Self::Relu && program.relu().is_some()
    }
}

impl Layer for Activation {
    fn name(&self) -> &str {
        match self {
            Self::Relu => Self::NAMES[0],
            Self::Silu => Self::NAMES[1],
        }
    }

    fn kind(&self) -> String {
        match self {
            Self::Relu => "ReLU".to_owned(),
            Self::Silu => "SiLU".to_owned(),
        }
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        self.of(input)
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        Ok(self.lower_here(program))
    }

    fn folded(&self, _: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(*self))
    }
}
