//! Files into plain buffers and back: weights in PyTorch's and safetensors' forms, headers of arrays, never by
//! executing what a file says.
//!
//! [`weights::read_weights`] is the door: it tells the form by the file's content.

pub mod array;
pub mod atomic;
pub mod checkpoint;
mod error;
pub mod idx;
pub mod npy;
pub mod pickle;
pub mod pth;
pub mod safetensors;
pub mod weights;

pub use error::FormatError;
