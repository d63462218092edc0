//! What can go wrong with a comparison.

use std::path::PathBuf;

use crate::method::MethodError;

/// A comparison that cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ComparisonError {
    /// The operating system refused.
    #[error("cannot read comparison {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// Not TOML, or a key is missing, unknown or of another type.
    #[error("comparison {path}: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// What and in which line.
        source: Box<toml::de::Error>,
    },
    /// Something in it cannot be done.
    #[error("comparison {path}: {what}")]
    Suite {
        /// The file.
        path: PathBuf,
        /// What, and what is expected.
        what: String,
    },
    /// The method of a network.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// A result that is not what a comparison makes.
    #[error("{path} is no part of this comparison: {what}; move it away, or give another folder")]
    Foreign {
        /// The run's folder.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A run.
    #[error(transparent)]
    Summary(#[from] crate::summary::SummaryError),
    /// Its store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The file of the results.
    #[error(transparent)]
    Atomic(#[from] crate::format::atomic::AtomicError),
}
