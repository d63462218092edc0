//! The engine: models, attacks, training recipes and evaluation on libtorch. It takes no
//! arguments and prints nothing.
//!
//! In reading order: a [`batch`] of images meets a [`model`], which is a network of the [`zoo`]
//! put together from [`layer`]s, or an [`onnx`] graph, with its normalisation inside. An [`attack`] moves images inside
//! the ball that [`geometry`] measures, and [`evaluate`] alone decides what it achieved, and an [`audit`]
//! looks for reasons not to trust that. A
//! [`recipe`] turns a batch into weight gradients, [`optim`] into steps, and [`train`] is the only
//! loop. [`rng`] keys everything random.

mod adam;
pub mod attack;
pub mod audit;
pub mod augment;
pub mod batch;
mod device;
pub mod error;
pub mod evaluate;
pub mod geometry;
mod host;
#[cfg(target_arch = "x86_64")]
pub mod kernel;
pub mod layer;
mod layout;
pub mod loss;
pub mod model;
pub mod onnx;
pub mod optim;
pub mod recipe;
mod registry;
pub mod rng;
pub mod rows;
pub mod settings;
mod threads;
pub mod train;
pub mod zoo;

pub use device::{device_name, set_device};
pub use error::EngineError;
pub use threads::{set_threads, threads};

/// The version of libtorch that this program is built for; tch links no other.
pub const LIBTORCH_VERSION: &str = "2.11.0";
