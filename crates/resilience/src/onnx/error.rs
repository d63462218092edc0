//! Why an ONNX graph cannot be a model here.

use std::fmt;

use super::{EngineError, describe_known};

/// An ONNX graph that cannot be translated, or fails where it is computed.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// An operator that nobody has translated yet.
    #[error(
        "{at} is not known here; export the model without it (torch.onnx.export of the model in evaluation \
         mode, onnxsim), or add it: one file in crates/resilience/src/onnx/operator. Known are {known}",
        at = .0, known = describe_known()
    )]
    Operator(Box<At>),
    /// A setting of a node that its operator does not have here, or not with this value.
    #[error(
        "{at}, {what}: expected {expected}, found {found}; export the model with another setting or another \
         opset_version"
    )]
    Value {
        /// The node.
        at: Box<At>,
        /// The attribute or input.
        what: String,
        /// What is known here.
        expected: String,
        /// What the node has.
        found: String,
    },
    /// An operation that hides the gradient between the pixels and the logits.
    #[error(
        "{0} has no gradient, and lies between the pixels and the logits: an attack would see zeros and take \
         the model for robust. Export the model without it (the float model before quantisation, logits \
         instead of a class)"
    )]
    NoGradient(Box<At>),
    /// The graph's input or output is not what a classifier of images has.
    #[error("{what}: expected {expected}, found {found}; {remedy}")]
    Port {
        /// The input or output.
        what: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The logits do not depend on the pixels, or only through their shape.
    #[error(
        "the output '{output}' does not depend on the pixels; export the whole model, not a part of it"
    )]
    Constant {
        /// The output.
        output: String,
    },
    /// An operation that libtorch refuses on what it is given.
    #[error("{at} cannot be computed: {source}")]
    Failed {
        /// The node.
        at: Box<At>,
        /// Why.
        source: Box<EngineError>,
    },
}

/// A node of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// Its name.
    pub node: String,
    /// Its operator, with the domain where that is not ONNX's.
    pub operator: String,
    /// The graph's version of the operators.
    pub opset: i64,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node '{}': {} (opset {})", self.node, self.operator, self.opset)
    }
}
