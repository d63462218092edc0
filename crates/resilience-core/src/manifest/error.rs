//! What can be wrong with a manifest.

use std::path::PathBuf;

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The operating system refused.
    #[error("cannot read manifest {path}: {source}")]
    Read {
        /// The manifest.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// Not TOML, or a field is missing or of another type.
    #[error("manifest {path}: {source}")]
    Toml {
        /// The manifest.
        path: PathBuf,
        /// What and in which line.
        source: Box<toml::de::Error>,
    },
    /// A field that manifests do not have.
    #[error(
        "manifest {path}: unknown field '{field}'{suggestion}; the fields are {}",
        .known.join(", ")
    )]
    UnknownField {
        /// The manifest.
        path: PathBuf,
        /// The field.
        field: String,
        /// `; did you mean …?`, or empty.
        suggestion: String,
        /// Those that they have.
        known: Vec<&'static str>,
    },
    /// Fields of a model and of an ensemble together.
    #[error(
        "manifest {path}: '{model}' and '{ensemble}' contradict each other; describe either one \
         model (file, architecture, mean, std) or an ensemble (members, vote)"
    )]
    Both {
        /// The manifest.
        path: PathBuf,
        /// A field that only a model has.
        model: String,
        /// One that only an ensemble has.
        ensemble: String,
    },
    /// Neither a model nor an ensemble.
    #[error(
        "manifest {path} describes nothing: give the file, architecture, mean and std of a model, or \
         the members and vote of an ensemble"
    )]
    Neither {
        /// The manifest.
        path: PathBuf,
    },
    /// An ensemble where one model is expected.
    #[error(
        "manifest {path} describes an ensemble, where one model is expected; list that ensemble's own \
         members instead"
    )]
    NotOne {
        /// The manifest.
        path: PathBuf,
    },
    /// Members that know the classes of different data sets.
    #[error(
        "manifest {path}: '{first}' is for {of_first}, but '{other}' for {of_other}; leave one of them \
         out"
    )]
    Datasets {
        /// The ensemble's manifest.
        path: PathBuf,
        /// Name of a member.
        first: String,
        /// Its data set.
        of_first: String,
        /// Name of another.
        other: String,
        /// Its data set.
        of_other: String,
    },
    /// A value that makes no sense.
    #[error("manifest {path}: {field}: expected {expected}, found {found}")]
    Value {
        /// The manifest.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
}
