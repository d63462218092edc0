//! The engine: models, attacks, training recipes and evaluation on libtorch. It takes no
//! arguments and prints nothing.
//!
//! In reading order: a [`batch`] of images meets a [`model`], which is a network of the [`zoo`]
//! put together from [`layer`]s, with its normalisation inside. An [`attack`] moves images inside
//! the ball that [`geometry`] measures, and [`evaluate`] alone decides what it achieved. A
//! [`recipe`] turns a batch into weight gradients, [`optim`] into steps, and [`train`] is the only
//! loop. [`rng`] keys everything random.

pub mod attack;
pub mod augment;
pub mod batch;
pub mod error;
pub mod evaluate;
pub mod geometry;
pub mod layer;
mod layout;
pub mod loss;
pub mod model;
pub mod optim;
pub mod recipe;
mod registry;
pub mod rng;
pub mod rows;
pub mod train;
pub mod zoo;

pub use error::EngineError;

/// The version of libtorch that this program is built for; tch links no other.
pub const LIBTORCH_VERSION: &str = "2.11.0";

/// Sets how many threads libtorch computes with; call it before anything else.
pub fn set_threads(threads: u32) {
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}

/// How many threads libtorch computes with.
#[must_use]
pub fn threads() -> u32 {
    u32::try_from(tch::get_num_threads()).unwrap_or(1)
}
