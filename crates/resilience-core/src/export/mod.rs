//! A run in forms that other programs read: every outcome as a line of CSV, the adversarial images
//! as NumPy arrays.

mod csv;
mod npz;

use std::io;

pub use self::csv::csv;
pub use self::npz::{Npz, npz};
use crate::format::atomic::AtomicError;
use crate::record::{AttackOutcome, CleanOutcome};
use crate::store::StoreError;

/// Whether an attack made a right prediction wrong; where the model is noisy, more than half of the
/// passes decide.
fn broken(clean: &CleanOutcome, attacked: &AttackOutcome) -> bool {
    clean.right > 0.5 && attacked.right <= 0.5
}

/// A run that cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file cannot be written.
    #[error(transparent)]
    Write(AtomicError),
    /// Examples that do not fit into one array.
    #[error(
        "the examples of '{model}' are of several shapes: image {index} has {got:?}, but the first \
         one has {expected:?}; expected one shape, as of all images of a data set"
    )]
    Shapes {
        /// The model.
        model: String,
        /// The image.
        index: u64,
        /// Shape of the first one.
        expected: [usize; 3],
        /// Shape of this one.
        got: [usize; 3],
    },
}

/// Carries an error of ours through a function that writes; [`found`] has it again.
fn hidden(error: impl Into<ExportError>) -> io::Error {
    io::Error::other(error.into())
}

/// What [`hidden`] hid, else the error of writing.
fn found(AtomicError { path, source }: AtomicError) -> ExportError {
    match source.downcast::<ExportError>() {
        Ok(hidden) => hidden,
        Err(source) => ExportError::Write(AtomicError { path, source }),
    }
}

#[cfg(test)]
mod tests;
