//! Our own kernels on a CPU: a network's forward pass and its gradients, with respect to its input
//! for attacks, and to its weights as well for training.
//!
//! Attacks spend nearly all of their time in the first two, on a network whose weights do not change.
//! So kernels are packed and transformed once; 3x3 convolutions need a quarter of the products
//! (`winograd`); batch norm, biases, residual sums and ReLU happen while values are in registers
//! (`epilogue`); of a forward pass only a bit for each ReLU is kept, because no weight has a
//! gradient; a core takes a few images through all layers of a size before it takes the next ones,
//! so that values stay in its cache (`layout`); and images are shared among the threads, whole.
//! Every image is computed by itself: its result does not depend on the others.
//!
//! In reading order: `simd`, `buffer` and `map` are how numbers lie in registers and memory,
//! `gemm`, `outer`, `winograd`, `patches`, `pool` and `plain` what is computed of them; a `program` is a
//! network in these terms, `sums` are the gradients of its weights, an `engine` runs it, a `team`
//! does so on all threads for attacks, a `trainer` for training.

mod buffer;
mod engine;
mod epilogue;
mod gemm;
mod layout;
mod map;
mod outer;
mod patches;
mod plain;
mod pool;
mod program;
mod simd;
mod sums;
mod team;
#[cfg(test)]
mod tests;
mod trainer;
mod winograd;

pub use program::{Program, Weights};
pub use sums::Gradient;
pub use team::{Run, Team};
pub use trainer::{Lap, Trainer};

/// Whether this machine has the instructions that the kernels are written for.
#[must_use]
pub fn available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}
