//! What can go wrong with run stores, with the file and the remedy.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::check::Flaw;
use crate::plan::Shard;

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

impl From<Flaw> for StoreError {
    fn from(Flaw { what, expected, got }: Flaw) -> Self {
        Self::Refused { what, expected, got }
    }
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

/// Shards that do not make a whole.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// No folder at all.
    #[error("no run to merge; name the folders of all shards of one run")]
    Nothing,
    /// There is a run where the whole should be written.
    #[error("'{path}' already holds a run; choose another folder for the merged one with --out")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A shard that was broken off or is under way.
    #[error("the run in '{dir}' is not finished; carry it through with --resume, and merge then")]
    Unfinished {
        /// The folder.
        dir: PathBuf,
    },
    /// Another run altogether.
    #[error(
        "'{dir}' is not of the same run as '{first}': {field}: expected {expected}, got {got}; \
         merge the shards of one command only"
    )]
    Differs {
        /// The folder.
        dir: PathBuf,
        /// The one that it was compared with.
        first: PathBuf,
        /// What differs.
        field: String,
        /// As in the first.
        expected: String,
        /// As in the other.
        got: String,
    },
    /// The run was cut in another number of shards.
    #[error(
        "'{dir}' is one of {got} shards, but '{first}' is one of {expected}; merge the shards of \
         one division only"
    )]
    OtherShards {
        /// The folder.
        dir: PathBuf,
        /// The one that it was compared with.
        first: PathBuf,
        /// Number of shards there.
        expected: u64,
        /// Number of shards here.
        got: u64,
    },
    /// The same images twice.
    #[error("'{dir}' and '{other}' are both shard {shard}; name each shard once")]
    Twice {
        /// The shard.
        shard: Shard,
        /// The folder.
        dir: PathBuf,
        /// The folder that was named before.
        other: PathBuf,
    },
    /// Images that no folder has.
    #[error(
        "shards are missing: {missing}; run them with --shard, and merge when all are finished"
    )]
    Gap {
        /// Which.
        missing: String,
    },
    /// A store that cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}
