//! `summary.json`: written whole or not at all, read strictly.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{SCHEMA, Summary};
use crate::format::atomic::{self, AtomicError};
use crate::format::regular;
use crate::leaderboard::LeaderboardError;
use crate::store::StoreError;
use crate::threat::ThreatError;

/// A summary that cannot be counted, written or read.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// The run store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A published claim that comes with the program.
    #[error(transparent)]
    Leaderboard(#[from] LeaderboardError),
    /// No model was evaluated.
    #[error("'{path}' holds no evaluated model yet; the run was broken off, run it again")]
    Empty {
        /// The run store.
        path: PathBuf,
    },
    /// Outcomes are missing.
    #[error(
        "'{path}': {what}: expected outcomes of {expected} images (at least one), found {found}"
    )]
    Incomplete {
        /// The run store.
        path: PathBuf,
        /// The model or attack.
        what: String,
        /// Images that it says it covers.
        expected: u64,
        /// Outcomes that are there.
        found: u64,
    },
    /// An image would count as robust although an attack left it out.
    #[error(
        "'{path}': {what} says it is finished, but has no outcome of image {index}, which nothing \
         broke; the run store is damaged"
    )]
    Untried {
        /// The run store.
        path: PathBuf,
        /// The model and the attack.
        what: String,
        /// The image.
        index: u64,
    },
    /// A stage of the plan makes no sense.
    #[error("'{path}': stage {stage} of the plan: {source}")]
    Plan {
        /// The run store.
        path: PathBuf,
        /// Its place, from 0.
        stage: u64,
        /// Why.
        source: ThreatError,
    },
    /// A class number that no classifier has.
    #[error("'{path}': {what}: class {class} is beyond {most}; the run store is damaged")]
    Class {
        /// The run store.
        path: PathBuf,
        /// The model or attack.
        what: String,
        /// The number.
        class: u32,
        /// The largest that is counted.
        most: u32,
    },
    /// Another version of the format.
    #[error(
        "'{path}' has schema {found}, but this program reads schema {SCHEMA}; use the version of \
         resilience that wrote it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The schema of the file.
        found: u64,
    },
    /// Not a summary.
    #[error("'{path}' is not a summary of schema {SCHEMA}: {source}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected where, with line and column.
        source: serde_json::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word on it.
        source: io::Error,
    },
}

/// Reads nothing but the version, so that another version is named as such.
#[derive(Deserialize)]
struct Version {
    schema: u64,
}

impl Summary {
    /// Writes the file whole or not at all: an interrupted write leaves the old file or none.
    pub fn write(&self, path: &Path) -> Result<(), SummaryError> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|source| SummaryError::Format { path: path.to_owned(), source })?;
        json.push(b'\n');
        Ok(atomic::write(path, &json)?)
    }

    /// Reads the file; a field too many or too few, or another version, is an error.
    pub fn read(path: &Path) -> Result<Self, SummaryError> {
        let json = regular::read(path, u64::MAX)
            .map_err(|source| SummaryError::Read { path: path.to_owned(), source })?;
        let format = |source| SummaryError::Format { path: path.to_owned(), source };
        let Version { schema } = serde_json::from_slice(&json).map_err(format)?;
        if schema != u64::from(SCHEMA) {
            return Err(SummaryError::Version { path: path.to_owned(), found: schema });
        }
        serde_json::from_slice(&json).map_err(format)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testdata;

    /// Would catch a figure that changes on its way through the file, and any laxness in reading.
    #[test]
    fn reads_back_what_was_written_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("summary.json");
        let summary = testdata::summary();
        summary.write(&path).unwrap();
        summary.write(&path).unwrap();
        assert_eq!(Summary::read(&path).unwrap(), summary);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");

        let text = fs::read_to_string(&path).unwrap();
        let broken = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            fs::write(&path, text.replacen(from, to, 1)).unwrap();
            Summary::read(&path).unwrap_err()
        };
        let error = broken("\"schema\": 2", "\"schema\": 1");
        assert!(matches!(error, SummaryError::Version { found: 1, .. }), "{error}");
        let error = broken("\"rate\"", "\"speed\"");
        assert!(matches!(error, SummaryError::Format { .. }), "{error}");
        assert!(error.to_string().contains("line"), "{error}");
        broken("\"linf\"", "\"l7\"");
        broken("{", "[");
        fs::write(&path, "").unwrap();
        Summary::read(&path).unwrap_err();
        Summary::read(&dir.path().join("none.json")).unwrap_err();
    }

    /// Would catch a field that the documentation leaves out, and one that it describes although
    /// it is gone.
    #[test]
    fn every_field_is_documented() {
        let document = include_str!("../../../../docs/summary-schema.md");
        let documented = testdata::documented(document);
        let written = testdata::written(&serde_json::to_value(testdata::summary()).unwrap());
        assert_eq!(written.difference(&documented).collect::<Vec<_>>(), [] as [&String; 0]);
        assert_eq!(documented.difference(&written).collect::<Vec<_>>(), [] as [&String; 0]);
    }
}
