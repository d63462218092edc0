//! Calls: the few that only make a container or bytes are made, the others are kept as they are.

use std::borrow::Cow;

use super::{Machine, Step};
use crate::format::pickle::{Function, Node, NodeId, PickleProblem, text};

impl Machine<'_> {
    /// Puts a call on the stack; those that only make a container or bytes are made.
    pub(super) fn call(&mut self, function: Function, arguments: NodeId) -> Step<()> {
        let Node::Tuple(given) = self.node(arguments) else {
            return Err(PickleProblem::Misfit("a call without a tuple of arguments"));
        };
        let given: Vec<_> = given.iter().take(3).copied().collect();
        let node = match (function, given.as_slice()) {
            (Function::OrderedDict, []) => Node::Dict(Vec::new()),
            (Function::OrderedDict, [items]) => Node::Dict(self.listed_items(*items)?),
            (Function::Set, []) => Node::List(Vec::new()),
            (Function::Set, [elements]) => match self.node(*elements) {
                Node::List(elements) => Node::List(self.copied(elements.clone())?),
                _ => return Err(PickleProblem::Misfit("a set of something that is not a list")),
            },
            (Function::Bytes | Function::ByteArray, []) => Node::Bytes(Cow::Borrowed(&[])),
            (Function::Bytes | Function::ByteArray, [bytes]) => match self.node(*bytes) {
                Node::Bytes(Cow::Borrowed(bytes)) => Node::Bytes(Cow::Borrowed(bytes)),
                _ => return Err(PickleProblem::Misfit("bytes made of something else")),
            },
            (Function::CodecsEncode | Function::ByteArray, [text, codec]) => {
                Node::Bytes(self.encoded(*text, *codec)?.into())
            }
            _ => Node::Call { function, arguments, state: None },
        };
        self.push(node)
    }

    /// Python 2 pickles an `OrderedDict` as a call with a list of pairs.
    fn listed_items(&mut self, items: NodeId) -> Step<Vec<(NodeId, NodeId)>> {
        let misfit = PickleProblem::Misfit("a dictionary made of something that is not pairs");
        let Node::List(items) = self.node(items) else { return Err(misfit) };
        let pairs = items.iter().map(|item| match self.node(*item) {
            Node::List(pair) | Node::Tuple(pair) => <[NodeId; 2]>::try_from(pair.as_slice()).ok(),
            _ => None,
        });
        let pairs: Option<Vec<_>> =
            pairs.map(|pair| pair.map(|[key, value]| (key, value))).collect();
        self.copied(pairs.ok_or(misfit)?)
    }

    /// Counts the memory of a copied container, since one list could be copied again and again.
    fn copied<T>(&mut self, copy: Vec<T>) -> Step<Vec<T>> {
        self.spend(copy.len())?;
        Ok(copy)
    }

    fn spend(&mut self, bytes: usize) -> Step<()> {
        self.encodable = self
            .encodable
            .checked_sub(bytes)
            .ok_or(PickleProblem::Misfit("the same value is copied again and again"))?;
        Ok(())
    }

    /// How Python 3 writes bytes into protocols that have none: as a text of Latin-1 characters.
    fn encoded(&mut self, text: NodeId, codec: NodeId) -> Step<Vec<u8>> {
        let (Node::Text(text), Node::Text(codec)) = (self.node(text), self.node(codec)) else {
            return Err(PickleProblem::Misfit("an encoding of something that is not a text"));
        };
        if !matches!(codec.as_ref(), "latin1" | "latin-1") {
            return Err(PickleProblem::Unsupported("an encoding other than latin1"));
        }
        let bytes = text::latin1(text)
            .ok_or(PickleProblem::Misfit("a text with characters beyond latin1"))?;
        self.spend(bytes.len())?;
        Ok(bytes)
    }
}
