//! The forms of a model that attacks may look at, while the reference decides.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A form of a model: the same function, computed in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// The reference itself.
    Reference,
    /// f32 in libtorch, batch norm folded into convolutions.
    Folded,
    /// f32 in our own kernels.
    Compiled,
    /// Weights and inner values in bf16, iterates, normalisation, first and last layer in f32.
    Bf16,
}

impl View {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reference, Self::Folded, Self::Compiled, Self::Bf16];

    /// Its name in tables and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Folded => "folded",
            Self::Compiled => "compiled",
            Self::Bf16 => "bf16",
        }
    }

    /// What it is, for a person.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Reference => "the model as given",
            Self::Folded => "f32 with batch norm folded",
            Self::Compiled => "f32 with own kernels",
            Self::Bf16 => "bf16 inside",
        }
    }
}

impl FromStr for View {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|view| view.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("'{text}' is no form of a model; expected one of {names}")
        })
    }
}

/// How exactly attacks look at a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// In the form that is measured to be fastest on this machine.
    Auto,
    /// In the fastest one in f32.
    F32,
    /// In bf16.
    Bf16,
    /// At the reference itself.
    Exact,
}

impl Precision {
    /// The forms that come into question.
    #[must_use]
    pub const fn views(self) -> &'static [View] {
        match self {
            Self::Auto => &[View::Compiled, View::Folded, View::Bf16],
            Self::F32 => &[View::Compiled, View::Folded],
            Self::Bf16 => &[View::Bf16],
            Self::Exact => &[View::Reference],
        }
    }
}
