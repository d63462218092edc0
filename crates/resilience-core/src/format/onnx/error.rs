//! What can be wrong with an ONNX file.

/// An ONNX file that cannot be read. The file's path stands in the error around it.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    /// The bytes are not the protocol buffer of a model.
    #[error(
        "not an ONNX model, or one that is damaged or cut short ({0}): export it again with \
         torch.onnx.export, or fetch it again"
    )]
    Buffer(#[from] prost::DecodeError),
    /// More of something than a model of this form can honestly have.
    #[error("{what}: expected at most {allowed}, found {found}")]
    TooLarge {
        /// What there is too much of.
        what: String,
        /// How much is taken.
        allowed: u64,
        /// How much there is.
        found: u64,
    },
    /// Something that has to be there is not.
    #[error("{what} is missing: {remedy}")]
    Missing {
        /// What.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A version of the operators that this program does not know.
    #[error(
        "opset {found}: expected {oldest} to {newest}; export the model with opset_version={newest} or \
         lower, or convert it with onnx.version_converter"
    )]
    Opset {
        /// The oldest that is known.
        oldest: i64,
        /// The newest that is known.
        newest: i64,
        /// The file's.
        found: i64,
    },
    /// A tensor whose content is not what its head says.
    #[error("tensor '{name}': {what}: expected {expected}, found {found}")]
    Tensor {
        /// Its name.
        name: String,
        /// What was looked at.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A part of a tensor's file beside the model cannot be read.
    #[error("tensor '{name}' lies in the file '{file}', which cannot be read: {source}")]
    External {
        /// The tensor.
        name: String,
        /// The file, as the model names it.
        file: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A file outside the model's folder.
    #[error(
        "tensor '{name}' lies in the file '{file}', which is not in the model's folder: nothing outside of \
         it is read; put the file beside the model and name it without a folder above"
    )]
    Outside {
        /// The tensor.
        name: String,
        /// The file, as the model names it.
        file: String,
    },
    /// A node that takes what nothing gives.
    #[error(
        "node {node} takes '{value}', which is no input, no initialiser and no other node's output: the \
         file is damaged"
    )]
    Unknown {
        /// The node: name and operator.
        node: String,
        /// The name of what it takes.
        value: String,
    },
    /// The graph's output is given by nothing.
    #[error("the output '{0}' is given by no node: the file is damaged")]
    UnknownOutput(String),
    /// A name that two give.
    #[error("'{value}' is given twice, the second time by {by}: the file is damaged")]
    Twice {
        /// The name.
        value: String,
        /// Who gives it again.
        by: String,
    },
    /// Nodes that wait for each other.
    #[error("node {node} needs its own result: the graph has a loop, which no classifier's has")]
    Loop {
        /// One of them.
        node: String,
    },
    /// A part of ONNX that is not read.
    #[error("{place}: {what} are not supported; {remedy}")]
    Unsupported {
        /// Where.
        place: String,
        /// What.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
}
