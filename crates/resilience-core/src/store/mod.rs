//! The run store: `DIR/run.sqlite`, the outcome of every sample of one run.
//!
//! It is one SQLite file with a rollback journal and full synchronisation, so that a crash, a
//! kill or a power cut leaves the state after the last call that returned. Every writing call is
//! one transaction: the file never holds half a model or half a unit of an attack. Images are
//! recorded as they are decided and units as they are carried through, so that a run that was
//! broken off can go on. Records are JSON, outcomes are rows, pixels are blobs; `schema.sql` beside
//! this file has the tables. [`merge()`] puts the shards of a run together.

mod check;
mod error;
mod merge;
mod read;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::check::{Flaw, Place};
pub use self::error::{MergeError, StoreError};
pub use self::merge::merge;
use crate::format::atomic;
use crate::plan::Plan;
use crate::record::Provenance;

/// Name of the file in a run's folder.
pub const FILE: &str = "run.sqlite";

/// Version of the tables that this program writes and reads.
pub const SCHEMA: i32 = 3;

/// Marks an SQLite file as a run store: "resi".
const APPLICATION_ID: i32 = 0x7265_7369;

/// An open run store.
#[derive(Debug)]
pub struct RunStore {
    connection: Connection,
    path: PathBuf,
    plan: Plan,
}

/// A model in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ModelId(i64);

/// An attack in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttackId(i64);

/// About how many bytes `n` examples of that shape take in the file, four for each number and what
/// is around them.
#[must_use]
pub fn example_bytes(shape: [usize; 3], n: u64) -> u64 {
    // SQLite keeps the first 489 bytes of a long row in the tree, eight such rows to a page of
    // 4096 bytes, and the rest in pages of its own with 4092 bytes each.
    let pixels = shape.iter().map(|&side| side as u64).product::<u64>() * 4;
    let pages = pixels.saturating_sub(489).div_ceil(4092);
    n * (pages * 4096 + pixels.min(489) + 40)
}

impl RunStore {
    /// Makes the store of a new run in the folder, which is made too where it is missing.
    ///
    /// Fails with [`StoreError::Exists`] where the folder already holds a run.
    pub fn create(dir: &Path, provenance: &Provenance, plan: &Plan) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::Exists { path });
        }
        let file = prepared(dir, &path, provenance, plan)?;
        file.persist_noclobber(&path).map_err(|error| StoreError::io(&path, error.error))?;
        Self::open(dir)
    }

    /// Like [`RunStore::create`], but puts the new run in the place of one that is already there.
    /// The old one stays until the new one is complete. A file that is no run store is refused.
    pub fn replace(dir: &Path, provenance: &Provenance, plan: &Plan) -> Result<Self, StoreError> {
        match Self::open(dir) {
            // Reading has rolled back what a crash left, so that no journal of the old file can
            // be taken for one of the new.
            Ok(old) => old.ensure_unlocked()?,
            Err(StoreError::Missing { .. }) => return Self::create(dir, provenance, plan),
            Err(StoreError::Version { .. } | StoreError::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        let path = dir.join(FILE);
        let file = prepared(dir, &path, provenance, plan)?;
        let journal = dir.join(format!("{FILE}-journal"));
        if journal.exists() {
            fs::remove_file(&journal).map_err(|error| StoreError::io(&journal, error))?;
        }
        file.persist(&path).map_err(|error| StoreError::io(&path, error.error))?;
        Self::open(dir)
    }

    /// Opens the store of a run, to read it and, where the file may be written, to add to it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        match fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { path });
            }
            Err(error) => return Err(StoreError::io(&path, error)),
            Ok(meta) if !meta.is_file() => {
                return Err(StoreError::NotAStore { path, found: "not a file".to_owned() });
            }
            Ok(_) => {}
        }
        let connection = connect(&path).map_err(|error| StoreError::sqlite(&path, error))?;
        check_header(&connection, &path)?;
        let plan = read_plan(&connection, &path)?;
        Ok(Self { connection, path, plan })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn ensure_unlocked(&self) -> Result<(), StoreError> {
        self.connection
            .execute_batch("BEGIN EXCLUSIVE; ROLLBACK;")
            .map_err(|error| self.sqlite(error))
    }

    /// How hard SQLite makes sure that what was written survives a power cut: `FULL` or `OFF`.
    fn synchronise(&self, how: &str) -> Result<(), StoreError> {
        let set = self.connection.pragma_update(None, "synchronous", how);
        set.map_err(|error| self.sqlite(error))
    }

    fn sqlite(&self, error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, error)
    }

    fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), what: what.into() }
    }

    fn flawed(&self, flaw: Flaw) -> StoreError {
        let Flaw { what, expected, got } = flaw;
        self.damaged(format!("{what}: expected {expected}, got {got}"))
    }

    /// The images of this run.
    fn place<'a>(&self, what: &'a str) -> Place<'a> {
        Place { what, images: self.plan.shard.images(self.plan.dataset.n, self.plan.block) }
    }

    /// Those of them that a stage of the plan is about.
    fn place_of_stage<'a>(&self, what: &'a str, stage: u64) -> Place<'a> {
        let mut place = self.place(what);
        let n = self.plan.stages[stage as usize].n;
        place.images = place.images.start.min(n)..place.images.end.min(n);
        place
    }

    fn parse_json<T: DeserializeOwned>(&self, what: &str, text: &str) -> Result<T, StoreError> {
        parse_json(&self.path, what, text)
    }
}

fn parse_json<T: DeserializeOwned>(path: &Path, what: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged {
        path: path.to_owned(),
        what: format!("{what}: {error}"),
    })
}

fn check_header(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i32>(0))
            .map_err(|error| StoreError::sqlite(path, error))
    };
    let path = path.to_owned();
    if pragma("application_id")? != APPLICATION_ID {
        let found = "an SQLite file of another program, or an empty file".to_owned();
        return Err(StoreError::NotAStore { path, found });
    }
    match pragma("user_version")? {
        SCHEMA => check_tables(connection, &path),
        found => Err(StoreError::Version { path, expected: SCHEMA, found }),
    }
}

/// Tables hold rows, and nothing else: a view, a trigger or a column that is computed would be a program of
/// the file's, which need not end.
fn check_tables(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let sql = "SELECT type || ' ' || name FROM sqlite_master \
               WHERE type NOT IN ('table', 'index') OR (type = 'table' AND rootpage = 0) \
               UNION ALL SELECT 'computed column of ' || tables.name \
               FROM sqlite_master AS tables, pragma_table_xinfo(tables.name) AS columns \
               WHERE tables.type = 'table' AND columns.hidden <> 0";
    match connection.query_row(sql, [], |row| row.get::<_, String>(0)) {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(()),
        Err(error) => Err(StoreError::sqlite(path, error)),
        Ok(found) => {
            let found = format!("it has a {}, which no run store has", found.escape_debug());
            Err(StoreError::NotAStore { path: path.to_owned(), found })
        }
    }
}

fn read_plan(connection: &Connection, path: &Path) -> Result<Plan, StoreError> {
    let damaged = |what| StoreError::Damaged { path: path.to_owned(), what };
    let row = connection.query_row("SELECT plan FROM run", [], |row| row.get::<_, String>(0));
    let json = row.map_err(|error| match error {
        rusqlite::Error::QueryReturnedNoRows => damaged("the table 'run' is empty".to_owned()),
        error => StoreError::sqlite(path, error),
    })?;
    let plan = parse_json(path, "the plan", &json)?;
    check::plan(&plan).map_err(|flaw| {
        damaged(format!("{}: expected {}, got {}", flaw.what, flaw.expected, flaw.got))
    })?;
    Ok(plan)
}

/// A complete store that holds the run and nothing else yet, under a temporary name in the folder.
fn prepared(
    dir: &Path,
    path: &Path,
    provenance: &Provenance,
    plan: &Plan,
) -> Result<tempfile::NamedTempFile, StoreError> {
    check::plan(plan)?;
    let provenance = to_json("the provenance", provenance)?;
    let plan = to_json("the plan", plan)?;
    fs::create_dir_all(dir).map_err(|error| StoreError::io(dir, error))?;
    let file = atomic::temporary_in(dir).map_err(|error| StoreError::io(path, error))?;
    fill(file.path(), &provenance, &plan).map_err(|error| StoreError::sqlite(path, error))?;
    Ok(file)
}

fn fill(path: &Path, provenance: &str, plan: &str) -> rusqlite::Result<()> {
    let mut connection = connect(path)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction
        .execute("INSERT INTO run (id, provenance, plan) VALUES (1, ?1, ?2)", [provenance, plan])?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    transaction.commit()
}

/// A connection that survives crashes: a rollback journal, synchronised to disk. Not WAL, which
/// could not be read in a folder that may not be written, and leaves files beside.
fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // The file may be anybody's: what is computed of its tables calls no function, and a page is looked
    // at before it is believed.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

/// JSON that reads back as the same value; a NaN or an infinity would not.
fn to_json<T>(what: &str, value: &T) -> Result<String, StoreError>
where
    T: Serialize + DeserializeOwned + PartialEq,
{
    let refused = |got: String| StoreError::Refused {
        what: what.to_owned(),
        expected: "finite numbers".to_owned(),
        got,
    };
    let text = serde_json::to_string(value).map_err(|error| refused(error.to_string()))?;
    match serde_json::from_str::<T>(&text) {
        Ok(back) if back == *value => Ok(text),
        Ok(_) => Err(refused("numbers that JSON cannot hold".to_owned())),
        Err(error) => Err(refused(format!("numbers that JSON cannot hold ({error})"))),
    }
}

#[cfg(test)]
mod tests;
