//! A weights file and how its state dict lay in it.

use super::array::StateDict;

/// What a weights file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The tensors, under names without the wrappers that all of them had.
    pub state: StateDict,
    /// Its form.
    pub form: Form,
    /// Keys and places in lists under which the state dict was, outermost first: `state_dict`, `[0]`.
    pub nest: Vec<String>,
    /// Other keys beside it that hold tensors by name too: nobody asked for them.
    pub others: Vec<String>,
    /// What was taken off the names: `module.`.
    pub prefix: String,
}

/// The forms of weights files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// PyTorch's since 1.6.
    Zip,
    /// PyTorch's before that.
    Legacy,
    /// That of Hugging Face.
    Safetensors,
}

impl Form {
    /// In words.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Zip => "PyTorch state dict (zip form)",
            Self::Legacy => "PyTorch state dict (legacy form, before 1.6)",
            Self::Safetensors => "safetensors",
        }
    }
}

impl Checkpoint {
    /// A state dict that lay in no other value; its names lose what wraps all of them.
    pub(super) fn new(form: Form, mut state: StateDict) -> Self {
        let prefix = state.strip_wrappers();
        Self { state, form, nest: Vec::new(), others: Vec::new(), prefix }
    }
}
