//! What can go wrong where weights are fetched.

use std::path::PathBuf;

use crate::download::DownloadError;
use crate::format::FormatError;

/// Weights that were not fetched.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Nobody says where they lie.
    #[error(
        "the weights of '{model}' cannot be pulled: the manifest has no url; they are from: {origin}; get \
         {wanted} there, and put it at {path}"
    )]
    NoAddress {
        /// The model's name.
        model: String,
        /// Where the weights come from, for a person.
        origin: String,
        /// The file that is wanted: name, size and SHA-256 as far as they are known.
        wanted: String,
        /// Where it would have been put.
        path: PathBuf,
    },
    /// Something else lies where they are to be put.
    #[error(
        "{path} is not the file of '{model}': it {found}, expected {wanted}; nothing was overwritten: move it \
         away and pull again, or pull into another folder with --out"
    )]
    Another {
        /// What lies there.
        path: PathBuf,
        /// The model's name.
        model: String,
        /// What it is.
        found: String,
        /// The file that is wanted.
        wanted: String,
    },
    /// What lies there cannot be read.
    #[error(transparent)]
    Unreadable(#[from] FormatError),
    /// No connection, or a server that does not have the file.
    #[error(
        "the weights of '{model}' cannot be fetched: {url} cannot be reached ({reason}); fetch {wanted} \
         on another machine and put it at {path}"
    )]
    Unreachable {
        /// The model's name.
        model: String,
        /// The address.
        url: String,
        /// Why not.
        reason: String,
        /// The file that is wanted.
        wanted: String,
        /// Where to put it.
        path: PathBuf,
    },
    /// The download began, and failed.
    #[error(transparent)]
    Download(DownloadError),
    /// No cache folder to fetch into.
    #[error(
        "no cache folder: none of $RESILIENCE_CACHE, $XDG_CACHE_HOME and $HOME is set; set one, or give a \
         folder with --out"
    )]
    NoCache,
}
