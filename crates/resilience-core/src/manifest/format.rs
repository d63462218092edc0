//! What the file of a model is.

use std::path::Path;

use super::ManifestError;
use crate::format::{onnx, pth};

/// What a model's file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Weights of an architecture that is named beside them.
    Weights,
    /// A whole network, as ONNX.
    Onnx,
    /// A whole network, as TorchScript.
    TorchScript,
}

impl Format {
    /// What can stand in a manifest, for an error.
    pub(super) const EXPECTED: &str = "\"weights\", \"onnx\" or \"torchscript\"; without it a file is weights, or ONNX where its name ends so";
    const ALL: [Self; 3] = [Self::Weights, Self::Onnx, Self::TorchScript];

    /// That of a file by its name, where its name says it: TorchScript files are called as weights are.
    #[must_use]
    pub fn of(file: &Path) -> Self {
        if onnx::is_named_so(file) { Self::Onnx } else { Self::Weights }
    }

    /// That of a file that is there, by what it contains.
    #[must_use]
    pub fn of_content(file: &Path) -> Self {
        match Self::of(file) {
            Self::Weights if pth::is_script_file(file) => Self::TorchScript,
            by_name => by_name,
        }
    }

    /// Whether a file is a whole network, which says its architecture itself.
    #[must_use]
    pub fn is_network(self) -> bool {
        self != Self::Weights
    }

    /// Its name in manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Onnx => "onnx",
            Self::TorchScript => "torchscript",
        }
    }

    /// What such a file is called in messages.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Weights => "a weights file",
            Self::Onnx => "an ONNX file",
            Self::TorchScript => "a TorchScript file",
        }
    }

    /// The one that is stated, else that of the file by its name.
    pub(super) fn find(stated: Option<&str>, file: &Path) -> Option<Self> {
        match stated {
            None => Some(Self::of(file)),
            Some(name) => Self::ALL.into_iter().find(|one| one.name() == name),
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
            (Self::Weights, None) => Err(wrong(
                "the network that these weights are for (or format = \"onnx\" or \"torchscript\")",
                "none",
            )),
            (_, None) => Ok(self.name().to_owned()),
            (_, Some(name)) => {
                let expected = format!(
                    "none, because {} says it itself; leave out 'architecture'",
                    self.title()
                );
                Err(wrong(&expected, &format!("'{name}'")))
            }
        }
    }
}
