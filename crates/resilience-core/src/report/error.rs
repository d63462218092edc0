//! What can go wrong with a report.

use crate::format::atomic::AtomicError;
use crate::store::StoreError;
use crate::summary::SummaryError;

/// A report that cannot be made or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The run store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The figures of a run.
    #[error(transparent)]
    Summary(#[from] SummaryError),
    /// Nothing to report on.
    #[error("no run was given; name at least one folder that a run wrote with --out")]
    NoRun,
    /// An example that is no image.
    #[error(
        "example {index} of {model} has {channels} channels; expected 1 (grey) or 3 (red, green, \
         blue)"
    )]
    Channels {
        /// The model.
        model: String,
        /// Place of the image in its split.
        index: u64,
        /// Channels that it has.
        channels: usize,
    },
    /// An example whose clean image has another shape.
    #[error("example {index} of {model} has another shape than its clean image")]
    Shape {
        /// The model.
        model: String,
        /// Place of the image in its split.
        index: u64,
    },
    /// An example of an image that has no outcome.
    #[error("example {index} of {model} has no outcome in the run store")]
    Outcome {
        /// The model.
        model: String,
        /// Place of the image in its split.
        index: u64,
    },
    /// The file of the report.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// An image could not be encoded: a bug of ours.
    #[error("an image of the gallery could not be encoded: {0}")]
    Png(#[from] png::EncodingError),
    /// A plot could not be drawn: a bug of ours.
    #[error("a plot could not be drawn: {0}")]
    Plot(String),
    /// A template could not be filled: a bug of ours.
    #[error("a part of the page could not be written: {0}")]
    Template(#[from] askama::Error),
}
