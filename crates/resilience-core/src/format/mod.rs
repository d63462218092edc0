//! Files into plain buffers and back: weights in PyTorch's and safetensors' forms, networks in ONNX's and
//! TorchScript's, headers of arrays, never by executing what a file says.
//!
//! [`weights::read_weights`] is the door for weights: it tells the form by the file's content.
//! [`onnx::read_checked`] and [`pth::read_script`] are those for networks.

pub(crate) mod archive;
pub mod array;
pub mod atomic;
pub mod checkpoint;
mod error;
pub mod idx;
pub mod npy;
pub mod onnx;
pub mod pickle;
pub mod pth;
pub(crate) mod regular;
pub mod safetensors;
pub mod weights;

pub use error::FormatError;
