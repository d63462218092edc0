//! Our own kernels for the search view on a CPU: a network's forward pass and the gradient of its
//! input, and nothing else.
//!
//! Attacks spend nearly all of their time in these two, on a network whose weights do not change.
//! So kernels are packed and transformed once; 3x3 convolutions need a quarter of the products
//! (`winograd`); batch norm, biases, residual sums and ReLU happen while values are in registers
//! (`epilogue`); of a forward pass only a bit for each ReLU is kept, because no weight has a
//! gradient; a core takes a few images through all layers of a size before it takes the next ones,
//! so that values stay in its cache (`layout`); and images are shared among the threads, whole.
//! Every image is computed by itself: its result does not depend on the others.
//!
//! In reading order: `simd`, `buffer` and `map` are how numbers lie in registers and memory,
//! `gemm`, `winograd`, `patches` and `plain` what is computed of them; a `program` is a
//! network in these terms, an `engine` runs it, a `team` does so on all threads.

mod buffer;
mod engine;
mod epilogue;
mod gemm;
mod layout;
mod map;
mod patches;
mod plain;
mod program;
mod simd;
mod team;
#[cfg(test)]
mod tests;
mod winograd;

pub use program::{Program, Weights};
pub use team::{Run, Team};

/// Whether this machine has the instructions that the kernels are written for.
#[must_use]
pub fn available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}
