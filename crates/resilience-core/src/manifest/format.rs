//! What the file of a model is.

use std::path::Path;

use super::ManifestError;
use crate::format::onnx;

/// What a model's file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Weights of an architecture that is named beside them.
    Weights,
    /// A whole network, as ONNX.
    Onnx,
}

impl Format {
    /// What can stand in a manifest, for an error.
    pub(super) const EXPECTED: &str =
        "\"weights\" or \"onnx\"; without it the file's ending says it";

    /// That of a file by its name.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        if onnx::is_named_so(file) { Self::Onnx } else { Self::Weights }
    }

    /// Its name in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Onnx => "onnx",
        }
    }

    /// The one that is stated, else that of the file by its name.
    pub(super) fn find(stated: Option<&str>, file: &Path) -> Option<Self> {
        match stated {
            None => Some(Self::of(file)),
            Some(name) => [Self::Weights, Self::Onnx].into_iter().find(|one| one.name() == name),
        }
    }

    /// What has to be stated, because the file's name does not say it.
    pub(super) fn stated(self, file: &Path) -> Option<&'static str> {
        (self != Self::of(file)).then(|| self.name())
    }

    /// The architecture that a manifest of this format names, or the name of a format that needs none.
    pub(super) fn architecture(
        self,
        named: Option<String>,
        path: &Path,
    ) -> Result<String, ManifestError> {
        let wrong = |expected: &str, found: &str| ManifestError::Value {
            path: path.to_owned(),
            field: "architecture",
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        match (self, named) {
            (Self::Weights, Some(name)) if !name.trim().is_empty() => Ok(name),
            (Self::Weights, Some(name)) => {
                Err(wrong("a text that is not empty", &format!("'{name}'")))
            }
            (Self::Weights, None) => {
                Err(wrong("the network that these weights are for (or format = \"onnx\")", "none"))
            }
            (Self::Onnx, None) => Ok(self.name().to_owned()),
            (Self::Onnx, Some(name)) => {
                let expected =
                    "none, because an ONNX file says it itself; leave out 'architecture'";
                Err(wrong(expected, &format!("'{name}'")))
            }
        }
    }
}
