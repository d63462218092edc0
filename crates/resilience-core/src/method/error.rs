//! What can be wrong with a method.

use std::path::PathBuf;

/// A method that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// The operating system refused.
    #[error("cannot read method {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// Not TOML, or a key is missing or of another type.
    #[error("{place}: {source}")]
    Toml {
        /// Where it stands: `method my.toml`.
        place: String,
        /// What and in which line.
        source: Box<toml::de::Error>,
    },
    /// A key that methods do not have.
    #[error("{place}: unknown key '{key}'{suggestion}; the keys are {known}")]
    UnknownKey {
        /// Where it stands.
        place: String,
        /// The key.
        key: String,
        /// A near one.
        suggestion: String,
        /// All of them.
        known: String,
    },
    /// Another version of the form.
    #[error("{place} is of version {found}, but this program reads version {}", super::VERSION)]
    Version {
        /// Where it stands.
        place: String,
        /// Its version.
        found: i64,
    },
    /// A value that makes no sense.
    #[error("{place}: {key} must be {expected}, found {found}")]
    Value {
        /// Where it stands.
        place: String,
        /// The key.
        key: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What was given.
        found: String,
    },
}
