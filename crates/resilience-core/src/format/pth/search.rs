//! Where in a file's tree the state dict is: at the top, or under the keys and inside the lists in
//! which training scripts wrap it.

use std::collections::HashSet;
use std::path::Path;

use super::tensor;
use crate::format::FormatError;
use crate::format::pickle::{Node, NodeId, Pickle};

/// Keys under which training scripts put the state dict, in the order in which they are tried.
pub const NESTS: [&str; 8] =
    ["state_dict", "model_state_dict", "model", "net", "network", "params", "ema", "model_ema"];

/// Wrappings followed before giving up; real files have at most three.
const MAX_DEPTH: usize = 8;

/// The one dictionary of tensors that the file is about. A list or tuple may hold it if it holds
/// nothing else: which of several things is meant, no reader can know.
pub fn state_dict(path: &Path, pickle: &Pickle<'_>) -> Result<Found, FormatError> {
    let mut search = Search { path, pickle, seen: HashSet::new() };
    let mut found = search.within(pickle.root(), MAX_DEPTH)?.ok_or_else(|| {
        let found = pickle.describe(pickle.root());
        FormatError::NoStateDict { path: path.to_owned(), found }
    })?;
    found.nest.reverse();
    Ok(found)
}

/// The state dict, and what it lay in.
pub struct Found {
    pub dict: NodeId,
    /// Keys and places in lists, outermost first.
    pub nest: Vec<String>,
    /// Keys beside it under which there are tensors by name too.
    pub others: Vec<String>,
}

struct Search<'a> {
    path: &'a Path,
    pickle: &'a Pickle<'a>,
    /// Values are shared, so that a small file can have more paths through it than there is time
    /// to walk; each value is looked into once.
    seen: HashSet<NodeId>,
}

impl Search<'_> {
    fn within(&mut self, id: NodeId, depth: usize) -> Result<Option<Found>, FormatError> {
        if depth == 0 || !self.seen.insert(id) {
            return Ok(None);
        }
        match self.pickle.node(id) {
            Node::Dict(items) => {
                for key in NESTS {
                    let Some(inner) = self.pickle.get(id, key) else { continue };
                    if let Some(mut found) = self.within(inner, depth - 1)? {
                        found.nest.push(key.to_owned());
                        found.others.extend(self.beside(items));
                        return Ok(Some(found));
                    }
                }
                let found = Found { dict: id, nest: Vec::new(), others: Vec::new() };
                Ok(self.has_tensors(items).then_some(found))
            }
            Node::List(elements) | Node::Tuple(elements) => {
                for (place, &element) in elements.iter().enumerate() {
                    if let Some(mut found) = self.within(element, depth - 1)? {
                        found.nest.push(format!("[{place}]"));
                        return if elements.len() == 1 {
                            Ok(Some(found))
                        } else {
                            Err(self.several(id))
                        };
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn has_tensors(&self, items: &[(NodeId, NodeId)]) -> bool {
        items.iter().any(|(_, value)| tensor::is_one(self.pickle, *value))
    }

    /// The keys of a dictionary under which there are tensors by name that were not looked at.
    fn beside(&mut self, items: &[(NodeId, NodeId)]) -> Vec<String> {
        let mut keys = Vec::new();
        for (key, value) in items {
            let Node::Dict(inner) = self.pickle.node(*value) else { continue };
            let Some(key) = self.pickle.text(*key) else { continue };
            if self.seen.insert(*value) && self.has_tensors(inner) {
                keys.push(key.to_owned());
            }
        }
        keys
    }

    fn several(&self, list: NodeId) -> FormatError {
        FormatError::Content {
            path: self.path.to_owned(),
            what: "the list that holds the state dict".to_owned(),
            expected: "one element (save the state dict that is meant alone)".to_owned(),
            found: self.pickle.describe(list),
        }
    }
}
