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
pub fn state_dict(path: &Path, pickle: &Pickle<'_>) -> Result<NodeId, FormatError> {
    let mut search = Search { path, pickle, seen: HashSet::new() };
    search.within(pickle.root(), MAX_DEPTH)?.ok_or_else(|| FormatError::NoStateDict {
        path: path.to_owned(),
        found: pickle.describe(pickle.root()),
    })
}

struct Search<'a> {
    path: &'a Path,
    pickle: &'a Pickle<'a>,
    /// Values are shared, so that a small file can have more paths through it than there is time
    /// to walk; each value is looked into once.
    seen: HashSet<NodeId>,
}

impl Search<'_> {
    fn within(&mut self, id: NodeId, depth: usize) -> Result<Option<NodeId>, FormatError> {
        if depth == 0 || !self.seen.insert(id) {
            return Ok(None);
        }
        match self.pickle.node(id) {
            Node::Dict(items) => {
                for key in NESTS {
                    let Some(inner) = self.pickle.get(id, key) else { continue };
                    if let Some(found) = self.within(inner, depth - 1)? {
                        return Ok(Some(found));
                    }
                }
                let here = items.iter().any(|(_, value)| tensor::is_one(self.pickle, *value));
                Ok(here.then_some(id))
            }
            Node::List(elements) | Node::Tuple(elements) => {
                for &element in elements {
                    let found = self.within(element, depth - 1)?;
                    if found.is_some() {
                        return if elements.len() == 1 { Ok(found) } else { Err(self.several(id)) };
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
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
