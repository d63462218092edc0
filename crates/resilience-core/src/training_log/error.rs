//! What can go wrong with the log of a training run, with the file and the remedy.

use std::io;
use std::path::PathBuf;

use crate::format::atomic::AtomicError;

/// A log of a training run that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TrainingLogError {
    /// A file could not be begun.
    #[error(transparent)]
    Begin(#[from] AtomicError),
    /// The folder for TensorBoard cannot be made or looked into.
    #[error(
        "cannot use {path} as the folder of TensorBoard's event files: {source}; choose a folder \
         that you may write"
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The event file of an earlier run stands in the way.
    #[error(
        "cannot remove {path}, beside which TensorBoard would show every epoch twice: {source}; \
         remove it yourself, or choose another folder"
    )]
    Remove {
        /// The event file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// An epoch could not be added.
    #[error("cannot append to {path}: {}; the epochs in it stay valid", remedy(.source))]
    Append {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Something was handed in that JSON cannot say: a bug of the caller.
    #[error("cannot write a record as a line of {path}: {source}")]
    Record {
        /// The file.
        path: PathBuf,
        /// The writer's word on it.
        source: serde_json::Error,
    },
}

fn remedy(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; make room and resume the run".to_owned()
        }
        _ => source.to_string(),
    }
}
