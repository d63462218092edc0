//! ONNX graphs as libtorch operations: translated once, at load, differentiable afterwards.
//!
//! [`Translated`] is the graph: [`OPERATORS`] says what each node becomes ([`Translation`]), from what is known
//! of it when it is translated ([`Site`]). What depends on no pixel is computed at once and is a constant from
//! then on. Every float is computed in one precision, whatever the file says. What lies between the pixels and
//! the logits has a gradient, or the graph is refused. The model around it is [`crate::model::Onnx`].

mod convert;
mod dependence;
mod error;
mod fold;
mod half;
#[cfg(target_arch = "x86_64")]
mod lower;
mod operator;
mod site;
mod translated;
mod translation;

pub use dependence::Dependence;
pub use error::{At, OnnxError};
pub use operator::{OPERATORS, Operator};
pub use site::Site;
pub use translated::Translated;
pub use translation::{Args, Gradient, Role, Translation};

use crate::error::EngineError;

/// The names of the operators, for a message.
fn describe_known() -> String {
    OPERATORS.iter().map(|operator| operator.name).collect::<Vec<_>>().join(", ")
}
