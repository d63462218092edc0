//! A network as an ONNX file states it.

use super::super::array::{Array, Kind};

/// A network: nodes in the order in which they can be computed, and the tensors that are given.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The version of the operators.
    pub opset: i64,
    /// What exported it, with its version; may be empty.
    pub producer: String,
    /// What has to be given; initialisers are not among them.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// The nodes that the outputs need, each after those whose results it takes.
    pub nodes: Vec<Node>,
    /// Tensors by name, in the order of the file.
    pub initialisers: Vec<(String, Array)>,
}

/// An input or an output of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What its numbers are, where that is stated and one of ours.
    pub kind: Option<Kind>,
    /// Its sides, outermost first, where they are stated; a side that is free is none.
    pub shape: Option<Vec<Option<u64>>>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its name; may be empty.
    pub name: String,
    /// What it does.
    pub operator: String,
    /// Whose operator that is; empty for ONNX's own.
    pub domain: String,
    /// Names of what it takes, in order; an empty one is left out.
    pub inputs: Vec<String>,
    /// Names of what it gives, in order; an empty one is not wanted.
    pub outputs: Vec<String>,
    /// Its settings by name.
    pub attributes: Vec<(String, Attribute)>,
}

/// A setting of a node.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant is named after what it holds")]
pub enum Attribute {
    Float(f32),
    Int(i64),
    Text(String),
    Tensor(Array),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Texts(Vec<String>),
    /// Something that is not read, such as a graph; this is what it is.
    Other(&'static str),
}

impl Node {
    /// Its name, or that of its first result where it has none.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.name.is_empty() {
            return self.outputs.first().map_or("", String::as_str);
        }
        &self.name
    }

    /// Its name and operator for a message: `'layer1/Conv' (Conv)`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("'{}' ({})", self.label(), self.operator)
    }
}
