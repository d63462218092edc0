//! Names and shapes of a state dict, and what can be read from them.

use std::collections::{BTreeMap, BTreeSet};

use resilience_core::format::array::StateDict;

/// The shape of each tensor by name.
#[derive(Clone, Debug)]
pub struct Shapes(BTreeMap<String, Vec<usize>>);

impl Shapes {
    /// Those of a state dict.
    #[must_use]
    pub fn of(state: &StateDict) -> Self {
        let shape = |(name, array): &(String, resilience_core::format::array::Array)| {
            (name.clone(), array.shape().to_vec())
        };
        Self(state.entries.iter().map(shape).collect())
    }

    /// One dimension of a tensor.
    #[must_use]
    pub fn side(&self, name: &str, dimension: usize) -> Option<usize> {
        self.0.get(name)?.get(dimension).copied()
    }

    /// Whether there is a tensor of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// How many numbers stand between `stage` and a dot: the blocks of a stage.
    #[must_use]
    pub fn blocks(&self, stage: &str) -> usize {
        let number = |name: &String| {
            let (number, _) = name.strip_prefix(stage)?.split_once('.')?;
            number.parse::<u32>().ok()
        };
        self.0.keys().filter_map(number).collect::<BTreeSet<_>>().len()
    }
}

/// Values of parameters that a state dict shows; where it does not show one, its default is as good as any.
#[derive(Debug, Default)]
pub struct Guess(Vec<(String, String)>);

impl Guess {
    /// With a value, where it could be read.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<usize>) -> Self {
        self.0.extend(value.map(|value| (name.to_owned(), value.to_string())));
        self
    }

    /// With a word.
    #[must_use]
    pub fn word(mut self, name: &str, word: &str) -> Self {
        self.0.push((name.to_owned(), word.to_owned()));
        self
    }

    /// Name and text of each.
    #[must_use]
    pub fn given(&self) -> &[(String, String)] {
        &self.0
    }
}
