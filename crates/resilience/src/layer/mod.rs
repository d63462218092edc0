//! The parts that architectures are built from: each knows its parameters, how to compute itself
//! and how to describe itself.

mod basic_block;
mod batch_norm;
mod builder;
mod conv;
mod linear;
mod pool;

use tch::Tensor;

pub use basic_block::BasicBlock;
use batch_norm::BatchNorm;
pub use builder::{Builder, Parameter};
pub use conv::{Conv, Window};
pub use linear::Linear;
pub use pool::{Flatten, GlobalAveragePool, Relu, ReluMaxPool};

use crate::error::EngineError;

/// Whether batch norm uses and updates the statistics of the batch, or the stored ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Statistics of the batch; the running ones are updated.
    Train,
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
    /// part of the convolution before it.
    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError>;

    /// Number of trainable parameters.
    fn parameters(&self) -> u64 {
        0
    }
}
