//! Python's pickles (protocols 0 to 5) as a plain tree of values.
//!
//! A pickle is a program for a small stack machine that may import and call anything. This reader
//! runs none of it: it follows the stack, builds a tree, and knows by name the few functions that
//! honest weights and data files call; what a call means is up to the reader of the tree. Any
//! other name is an error. Memory is bounded by the length of the input, and nothing recurses, so
//! that a hostile file ends in an error.

mod allowed;
mod machine;
mod text;

use std::borrow::Cow;

pub use allowed::Function;

/// Bytes of a text that may be a name. A name is shared by whatever refers to it, by two bytes each: were it as
/// long as the file, looking at all of those would take its length squared.
const LONGEST_NAME: usize = 4096;

/// A value's place in its [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// One value. Values are shared and may contain each other in circles, as in Python.
#[derive(Clone, Debug, PartialEq)]
pub enum Node<'a> {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A wider integer.
    Wide(i128),
    /// A float.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes, or a Python 2 `str`, which may be either.
    Bytes(Cow<'a, [u8]>),
    /// A list or a set.
    List(Vec<NodeId>),
    /// A tuple.
    Tuple(Vec<NodeId>),
    /// A dictionary in order of insertion, `OrderedDict` too. A key may come twice; the later
    /// one counts.
    Dict(Vec<(NodeId, NodeId)>),
    /// One of the names that are known.
    Function(Function),
    /// A call that was not made, with the state that would then have been set.
    Call {
        /// What would be called.
        function: Function,
        /// Its arguments: a tuple.
        arguments: NodeId,
        /// What `__setstate__` would get.
        state: Option<NodeId>,
    },
    /// Something that lies outside of the pickle, by what identifies it.
    Persistent(NodeId),
}

/// A parsed pickle.
#[derive(Clone, Debug)]
pub struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: NodeId,
}

/// Parses the pickle at the start of `bytes`; gives also how many bytes it takes.
pub fn parse(bytes: &[u8]) -> Result<(Pickle<'_>, usize), PickleError> {
    machine::run(bytes)
}

impl<'a> Pickle<'a> {
    /// The outermost value.
    #[must_use]
    pub const fn root(&self) -> NodeId {
        self.root
    }

    /// The value at that place.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// Every reference to something outside of the pickle.
    pub fn storages(&self) -> impl Iterator<Item = NodeId> {
        let references = self.nodes.iter().zip(0..);
        references
            .filter(|(node, _)| matches!(node, Node::Persistent(_)))
            .map(|(_, index)| NodeId(index))
    }

    /// The text there, where it is one that can be a name; a Python 2 `str` counts if it is valid UTF-8.
    #[must_use]
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match self.node(id) {
            Node::Text(text) if text.len() <= LONGEST_NAME => Some(text),
            Node::Bytes(bytes) if bytes.len() <= LONGEST_NAME => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The integer there, where it is one that is at least 0.
    #[must_use]
    pub fn count(&self, id: NodeId) -> Option<usize> {
        match self.node(id) {
            Node::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The elements there, where it is a list or tuple.
    #[must_use]
    pub fn elements(&self, id: NodeId) -> Option<&[NodeId]> {
        match self.node(id) {
            Node::List(elements) | Node::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The value of a text key in the dictionary there.
    #[must_use]
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let Node::Dict(items) = self.node(id) else { return None };
        let found = items.iter().rev().find(|(name, _)| self.text(*name) == Some(key));
        found.map(|(_, value)| *value)
    }

    /// What the value is, in a few words for an error message.
    #[must_use]
    pub fn describe(&self, id: NodeId) -> String {
        match self.node(id) {
            Node::None => "None".to_owned(),
            Node::Bool(value) => if *value { "True" } else { "False" }.to_owned(),
            Node::Int(value) => format!("the integer {value}"),
            Node::Wide(value) => format!("the integer {value}"),
            Node::Float(value) => format!("the number {value}"),
            Node::Text(text) => format!("the text '{}'", text::shortened(text)),
            Node::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Node::List(elements) => format!("a list of {}", elements.len()),
            Node::Tuple(elements) => format!("a tuple of {}", elements.len()),
            Node::Dict(items) => {
                let keys = items.iter().filter_map(|(key, _)| self.text(*key));
                let keys: Vec<_> = keys.take(8).map(text::shortened).collect();
                format!("a dictionary of {} with the keys {}", items.len(), keys.join(", "))
            }
            Node::Function(function) | Node::Call { function, .. } => function.to_string(),
            Node::Persistent(_) => "a reference to a storage".to_owned(),
        }
    }
}

/// A pickle that is broken, or that wants something which is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset} of the pickle: {problem}")]
pub struct PickleError {
    /// Where the instruction begins.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: PickleProblem,
}

/// What is wrong with an instruction of a pickle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleProblem {
    /// The pickle ends inside.
    #[error("it is cut short: expected {expected} more bytes, found {found}")]
    Truncated {
        /// Bytes that the instruction takes.
        expected: u64,
        /// Bytes that are left.
        found: u64,
    },
    /// No instruction has this code.
    #[error("0x{0:02x} is not an instruction")]
    UnknownOpcode(u8),
    /// A name that honest files of this kind do not use.
    #[error(
        "it calls for '{0}', which is not on the list of what weights and data files need; \
         nothing was executed. If you trust the file, load it in Python and save only the state \
         dict: torch.save(model.state_dict(), path)"
    )]
    Forbidden(String),
    /// Something that only a running Python could provide.
    #[error("{0} cannot be read from a file alone")]
    Unsupported(&'static str),
    /// More values than any honest file has.
    #[error("it makes more than {0} values")]
    TooMany(usize),
    /// The instruction does not fit what lies on the stack.
    #[error("{0}")]
    Misfit(&'static str),
}

#[cfg(test)]
mod tests;
