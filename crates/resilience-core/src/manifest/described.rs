//! What a manifest describes: one model, or an ensemble of some.

use std::path::Path;

use super::{Ensemble, Manifest, ManifestError, read, toml};
use crate::suggest::did_you_mean;

/// A model to be evaluated, whichever it is.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are no more of them than models on a command line"
)]
pub enum Described {
    /// One network.
    Model(Manifest),
    /// Several that vote.
    Ensemble(Ensemble),
}

/// What the fields of a manifest speak of.
pub(super) enum Form {
    Model,
    Ensemble,
}

const EITHER: [&str; 3] = ["name", "source", "notes"];
const MODEL: [&str; 14] = [
    "file",
    "url",
    "size",
    "sha256",
    "format",
    "architecture",
    "parameters",
    "input_size",
    "mean",
    "std",
    "license",
    "dataset",
    "input_noise",
    "input_levels",
];
const ENSEMBLE: [&str; 2] = ["members", "vote"];

impl Described {
    /// Reads and checks a manifest, and those of its members; no weights file is touched yet.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = read(path)?;
        Ok(match form(path, &text)? {
            Form::Model => Self::Model(Manifest::parse(path, &text)?),
            Form::Ensemble => Self::Ensemble(Ensemble::parse(path, &text)?),
        })
    }

    /// What it is called in tables.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Model(model) => &model.name,
            Self::Ensemble(ensemble) => &ensemble.name,
        }
    }

    /// The networks that it is made of: one, or the members.
    #[must_use]
    pub fn networks(&self) -> &[Manifest] {
        match self {
            Self::Model(model) => std::slice::from_ref(model),
            Self::Ensemble(ensemble) => &ensemble.members,
        }
    }
}

/// Which of the two a manifest's text is about.
pub(super) fn form(path: &Path, text: &str) -> Result<Form, ManifestError> {
    let table: toml::Table = toml(path, text)?;
    let known = || EITHER.into_iter().chain(MODEL).chain(ENSEMBLE);
    if let Some(unknown) = table.keys().find(|key| !known().any(|field| field == *key)) {
        return Err(ManifestError::UnknownField {
            path: path.to_owned(),
            field: unknown.clone(),
            suggestion: did_you_mean(unknown, known()),
            known: known().collect(),
        });
    }
    let has = |fields: &[&str]| table.keys().find(|key| fields.contains(&key.as_str()));
    match (has(&MODEL), has(&ENSEMBLE)) {
        (Some(_), None) => Ok(Form::Model),
        (None, Some(_)) => Ok(Form::Ensemble),
        (None, None) => Err(ManifestError::Neither { path: path.to_owned() }),
        (Some(model), Some(ensemble)) => Err(ManifestError::Both {
            path: path.to_owned(),
            model: model.clone(),
            ensemble: ensemble.clone(),
        }),
    }
}
