//! What can go wrong with a run store, with the file and the remedy.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// A run store that cannot be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `create` found a run there already.
    #[error(
        "'{path}' already holds a run; choose another folder with --out, or pass --overwrite to \
         replace it"
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// No run in the folder.
    #[error(
        "'{path}' does not exist; expected a folder that `resilience eval` or `resilience \
         reproduce` wrote with --out"
    )]
    Missing {
        /// The file that was expected.
        path: PathBuf,
    },
    /// Another kind of file, or another program's database.
    #[error("'{path}' is not a run store: {found}; it was left as it is")]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// A run store of another version of the program.
    #[error(
        "'{path}' is a run store of schema {found}, but this program reads schema {expected}; use \
         the version of resilience that wrote it, or run the evaluation again"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The schema that this program reads.
        expected: i32,
        /// The schema of the file.
        found: i32,
    },
    /// The folder or the file cannot be written.
    #[error("'{path}' cannot be written ({reason}); choose a folder that you may write with --out")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// The system's word on it.
        reason: String,
    },
    /// No space left.
    #[error(
        "no space left to write '{path}'; make room and run again (what was recorded before stays \
         valid)"
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another process is writing.
    #[error(
        "'{path}' is in use by another process; wait for it to finish, or choose another --out"
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file's content is damaged, or a record in it does not say what it must.
    #[error("'{path}' is damaged: {what}; run the evaluation again into a new folder")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which record, what was expected and found.
        what: String,
    },
    /// Something was handed in that is no evidence: a bug of the caller.
    #[error("refused to record {what}: expected {expected}, got {got}")]
    Refused {
        /// What was handed in.
        what: String,
        /// What would be right.
        expected: String,
        /// What it was.
        got: String,
    },
    /// Anything else that the system says of the file.
    #[error("'{path}': {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's word on it.
        source: io::Error,
    },
    /// Anything else that SQLite says of the file.
    #[error("'{path}': {source}")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's word on it.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Sorts an error of SQLite by what a user can do about it.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, reason: source.to_string() }
            }
            Some(ErrorCode::NotADatabase) => {
                Self::NotAStore { path, found: "not an SQLite file".to_owned() }
            }
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, what: source.to_string() },
            _ => match source {
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::FromSqlConversionFailure(..) => {
                    Self::Damaged { path, what: source.to_string() }
                }
                source => Self::Sqlite { path, source },
            },
        }
    }

    /// Sorts an error of the file system likewise.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { path, reason: source.to_string() }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Io { path, source },
        }
    }
}
