//! What can go wrong on the way to labelled images.

use std::path::PathBuf;

use crate::download::DownloadError;
use crate::format::pickle::PickleError;

/// A data set that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// Neither a data set's name nor a path.
    #[error(
        "no data set is called '{name}', and there is no file or folder of that name; known: {known}{suggestion}"
    )]
    Unknown {
        /// As given.
        name: String,
        /// Names of the data sets.
        known: String,
        /// `; did you mean …?`, or empty.
        suggestion: String,
    },
    /// Not a part of a data set.
    #[error("unknown split '{0}'; expected train or test")]
    UnknownSplit(String),
    /// A path that holds no data set.
    #[error("{because}{path} holds no data set: expected {expected}")]
    NotRecognised {
        /// As given.
        path: PathBuf,
        /// Who said that it does (`$RESILIENCE_DATA: `), or empty.
        because: &'static str,
        /// Forms that are looked for.
        expected: String,
    },
    /// A file that belongs to the data set is not there.
    #[error("{path} is missing; the data set has {expected}: fetch it again")]
    Missing {
        /// The file, or the entry of the archive.
        path: PathBuf,
        /// What there should be.
        expected: &'static str,
    },
    /// The operating system refused, or the archive is broken.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The archive is cut short or damaged.
    #[error(
        "{path}, at byte {offset} of {size}: {reason}; the archive is cut short or damaged: fetch \
         it again"
    )]
    Archive {
        /// The archive.
        path: PathBuf,
        /// How far it was read.
        offset: u64,
        /// How large it is.
        size: u64,
        /// What the reader says.
        reason: String,
    },
    /// The file has another size than every honest one.
    #[error(
        "{path} has {found} bytes, expected {expected}: it is {}; fetch it again",
        if *.found == 0 { "empty" } else if found < expected { "cut short" } else { "not that file" }
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Bytes of an honest one.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A record that cannot be.
    #[error("{path}, record {record} at byte {offset}: expected {expected}, found {found}")]
    Record {
        /// The file.
        path: PathBuf,
        /// Place of the image in the file, from 0.
        record: usize,
        /// Where its record begins.
        offset: u64,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The file is whole but its content is not what its name says.
    #[error("{path}: {what}: expected {expected}, found {found}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        what: String,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The pickle in the file is broken, or wants something that is not allowed.
    #[error("{path}: {source}")]
    Pickle {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: PickleError,
    },
    /// More images asked for than there are.
    #[error("{name} has {have} {split} images, {asked} were asked for")]
    TooFew {
        /// The data set.
        name: String,
        /// Which part of it.
        split: &'static str,
        /// Images that it has.
        have: usize,
        /// Images asked for.
        asked: usize,
    },
    /// Images of the other split, or of no split but one.
    #[error(
        "{path} has {has}, but {wanted} are wanted; give data with both: a data manifest with train = and \
         test =, a folder with train and test in it, or an archive with x_train, y_train, x_test and \
         y_test"
    )]
    OneSplit {
        /// The data set.
        path: PathBuf,
        /// What it has.
        has: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// A data manifest that is no TOML, or has fields that it should not have.
    #[error("{path} is no data manifest: {reason}")]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// More than the memory should be filled with.
    #[error("{path}: {what} takes {wanted} bytes of memory, more than {allowed}: {remedy}")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What of it.
        what: String,
        /// Bytes wanted.
        wanted: u64,
        /// Bytes allowed.
        allowed: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// A picture that cannot be decoded.
    #[error("{path} cannot be decoded: {reason}; save it anew as PNG or JPEG, or take it out")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// An image was another when it was read again.
    #[error(
        "{path}: image {image} has changed since the data were loaded; leave data alone while a run \
         goes on, and begin the run anew"
    )]
    Changed {
        /// Its file.
        path: PathBuf,
        /// Its place among the images.
        image: usize,
    },
    /// The data set lies nowhere here, and its server cannot be reached.
    #[error(
        "{name} lies in none of {}, and {url} cannot be reached ({reason}); fetch that file by \
         hand and give its path with --data",
        searched.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Unreachable {
        /// The data set.
        name: &'static str,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
        /// Where it could have been fetched.
        url: String,
        /// Why it could not.
        reason: String,
    },
    /// The download began, and failed.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// No cache folder to download into.
    #[error(
        "no cache folder: none of $RESILIENCE_CACHE, $XDG_CACHE_HOME and $HOME is set; fetch {url} by hand and give its path with --data"
    )]
    NoCache {
        /// What would have been fetched.
        url: &'static str,
    },
    /// The user asked to stop.
    #[error("stopped while reading {0}")]
    Cancelled(PathBuf),
}
