//! The parts that architectures are built from: each knows its parameters, how to compute itself
//! and how to describe itself.

mod activation;
mod basic_block;
mod batch_norm;
mod bottleneck;
mod builder;
mod conv;
mod linear;
mod max_pool;
mod norm;
mod pad;
mod pool;
mod preact_block;
mod standardise;

#[cfg(target_arch = "x86_64")]
use tch::Kind;
use tch::Tensor;

pub use activation::Activation;
pub use basic_block::BasicBlock;
use batch_norm::BatchNorm;
pub use bottleneck::{Bottleneck, BottleneckForm};
pub use builder::{Builder, Parameter};
pub use conv::{Conv, Window};
pub use linear::Linear;
pub use max_pool::MaxPool;
pub use norm::Norm;
pub use pad::Pad;
pub use pool::{Flatten, GlobalAveragePool, Relu, ReluMaxPool};
pub use preact_block::{Margin, PreactBlock, PreactForm, PreactSize, Projection};
pub use standardise::Standardise;

use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

/// Whether batch norm uses and updates the statistics of the batch, or the stored ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Statistics of the batch; the running ones are updated.
    Train,
    /// Statistics of the batch; the running ones stay as they are.
    Still,
    /// The stored running statistics.
    Eval,
}

/// The layers of a network, in order.
pub type Layers = Vec<Box<dyn Layer>>;

/// One step of a forward pass.
pub trait Layer {
    /// The prefix of its parameters' names in the state dict, or a word where it has none.
    fn name(&self) -> &str;

    /// What it does, for a person.
    fn kind(&self) -> String;

    /// Its output for a batch; the first dimension is the sample.
    fn forward(&self, input: &Tensor, mode: Mode) -> Result<Tensor, EngineError>;

    /// The same layer for evaluation alone: its parameters are fixed copies, and batch norm is
    /// part of the convolution before it, where there is one.
    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError>;

    /// Appends what it does to a program of our own kernels. False where there is no kernel for it,
    /// as for a batch norm that was not folded.
    #[cfg(target_arch = "x86_64")]
    fn lower(&self, _: &mut Program) -> Result<bool, EngineError> {
        Ok(false)
    }

    /// Number of trainable parameters.
    fn parameters(&self) -> u64 {
        0
    }

    /// Multiplications that are added up for one image, where what it takes has `from` pixels and
    /// what it gives has `to`; those of convolutions and fully connected layers alone, each summed as it is
    /// defined.
    fn multiply_adds(&self, _from: u64, _to: u64) -> u64 {
        0
    }

    /// Whether it normalises pixels as a manifest's mean and standard deviation do.
    fn standardises(&self) -> Result<bool, EngineError> {
        Ok(false)
    }
}

/// A parameter in the precision of what it meets; its gradient comes back in its own.
fn as_input(parameter: &Tensor, input: &Tensor) -> Result<Tensor, EngineError> {
    Ok(parameter.f_to_kind(input.kind())?)
}

/// The numbers of a tensor in the order of its dimensions.
#[cfg(target_arch = "x86_64")]
fn numbers(tensor: &Tensor) -> Result<Vec<f32>, EngineError> {
    let flat = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
    Ok(Vec::try_from(flat)?)
}
