//! What can be wrong with a claim, or with what is asked of them.

/// A claim that cannot be used, or a question that no claim answers.
#[derive(Debug, thiserror::Error)]
pub enum LeaderboardError {
    /// Not TOML, a key that claims do not have, or one that is missing or of another type.
    #[error("leaderboard/{path}: {source}")]
    Toml {
        /// The file, from the folder of claims.
        path: String,
        /// What and in which line.
        source: Box<toml::de::Error>,
    },
    /// A field that contradicts the others, or the file's place.
    #[error("leaderboard/{path}: {field}: expected {expected}, found {found}")]
    Value {
        /// The file, likewise.
        path: String,
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A data set that nothing is published on.
    #[error("no published claim is on '{name}'{suggestion}; there are claims on {known}")]
    UnknownDataset {
        /// What was asked for.
        name: String,
        /// A near name.
        suggestion: String,
        /// Those that there are.
        known: String,
    },
    /// A threat that nothing is published on.
    #[error("no published claim is against '{name}'{suggestion}; there are claims against {known}")]
    UnknownThreat {
        /// What was asked for.
        name: String,
        /// A near name.
        suggestion: String,
        /// Those that there are.
        known: String,
    },
    /// Nothing fits all that was asked for.
    #[error("no published claim fits {wanted}; there are claims on {known}")]
    Nothing {
        /// All that was asked for.
        wanted: String,
        /// The tables that there are.
        known: String,
    },
}
