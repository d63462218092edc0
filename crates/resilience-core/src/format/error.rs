//! What can be wrong with a file of weights.

use std::path::PathBuf;

use super::atomic::AtomicError;
use super::onnx::OnnxError;
use super::pickle::PickleError;

/// A file of weights that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The operating system refused.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// The file has no content.
    #[error("{path} is empty: expected a model's file; fetch or export it again")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// No known form begins like this.
    #[error(
        "{path} is not a weights file: expected a PyTorch file (.pth, .pt) or safetensors, found \
         a file that begins with {found}"
    )]
    UnknownForm {
        /// The file.
        path: PathBuf,
        /// Its first bytes, or what they are known to be.
        found: String,
    },
    /// The pickle inside a PyTorch file is broken, or wants something that is not allowed.
    #[error("{path}, {part}: {source}")]
    Pickle {
        /// The file.
        path: PathBuf,
        /// Which part of it: an entry of the archive, or which of the pickles.
        part: String,
        /// What is wrong, with its offset in that part.
        source: PickleError,
    },
    /// An ONNX file is broken, or wants something that is not allowed.
    #[error("{path}: {source}")]
    Onnx {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<OnnxError>,
    },
    /// The archive around a PyTorch file is broken.
    #[error("{path}, {part}: {reason}; the file may be cut short or damaged: fetch it again")]
    Archive {
        /// The file.
        path: PathBuf,
        /// Which entry.
        part: String,
        /// What the archive reader says.
        reason: String,
    },
    /// The file is cut short.
    #[error(
        "{path}: {part} needs {expected} bytes from offset {offset}, found {found}; the file is \
         cut short: fetch it again"
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What was being read.
        part: String,
        /// Where, in bytes from the start of the file or entry.
        offset: u64,
        /// How many bytes there should be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The file is whole, but says something that cannot be.
    #[error("{path}: {what}: expected {expected}, found {found}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Where in it.
        what: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The file has no state dict where one is looked for.
    #[error(
        "{path} holds no state dict: expected tensors by name, at the top or under one of {}, \
         found {found}; save it in Python with torch.save(model.state_dict(), path)",
        super::pth::NESTS.join(", ")
    )]
    NoStateDict {
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        found: String,
    },
    /// The tensors would fill far more memory than the file is large.
    #[error(
        "{path}: its tensors want {wanted} bytes of memory, more than the {allowed} that a file \
         of this size can honestly need"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes wanted.
        wanted: u64,
        /// Bytes allowed.
        allowed: u64,
    },
    /// The checksum is another.
    #[error(
        "{path} has SHA-256 {found}, expected {expected}: it is not the file that was described"
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// As described.
        expected: String,
        /// As computed.
        found: String,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] AtomicError),
}
