//! What can go wrong on the way from a server to a file.

use std::io;
use std::path::PathBuf;

/// A download that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No connection, or a server that does not have the file.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// Why not.
        reason: String,
    },
    /// It broke off; what came is kept.
    #[error(
        "the download of {url} broke off after {done} of {size} bytes ({reason}); run again to go \
         on from there"
    )]
    Interrupted {
        /// The address.
        url: String,
        /// Bytes that came.
        done: u64,
        /// Bytes of the whole.
        size: u64,
        /// Why it broke off.
        reason: String,
    },
    /// What came is not the file.
    #[error(
        "what {url} sent has SHA-256 {found}, expected {expected}: it was damaged or replaced on \
         the way and has been deleted; run again, or fetch the file elsewhere"
    )]
    Checksum {
        /// The address.
        url: String,
        /// Of the file that is wanted.
        expected: String,
        /// As computed.
        found: String,
    },
    /// Another process is fetching the same file.
    #[error("another process is writing {part}: wait until it ends, or stop it, and run again")]
    Busy {
        /// What has come so far.
        part: PathBuf,
    },
    /// It could not be stored.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The user asked to stop; what came is kept.
    #[error("the download of {url} was stopped after {done} of {size} bytes; run again to go on")]
    Cancelled {
        /// The address.
        url: String,
        /// Bytes that came.
        done: u64,
        /// Bytes of the whole.
        size: u64,
    },
}
