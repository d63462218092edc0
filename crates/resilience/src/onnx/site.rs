//! A node while it is translated: its settings and what is known of its inputs.

use std::cell::RefCell;

use resilience_core::format::onnx::{Attribute, Node};
use tch::{Kind, Tensor};

use super::convert::tensor;
use super::translation::{Args, whole};
use super::{At, Dependence, OnnxError};
use crate::error::EngineError;

/// A node with what is known when it is translated.
pub struct Site<'a> {
    node: &'a Node,
    /// The version of the operators.
    pub opset: i64,
    /// What floats are computed in.
    pub kind: Kind,
    /// Whether the graph was exported for one image and takes any number here.
    pub freed: bool,
    known: Vec<Option<&'a Tensor>>,
    depends: Vec<Dependence>,
    read: RefCell<Vec<&'static str>>,
}

/// Whole numbers that are a setting: known now, or in every pass anew.
pub enum Ints {
    /// These.
    Known(Vec<i64>),
    /// Those of the input at this place.
    Input(usize),
}

impl Ints {
    /// The numbers in a pass.
    pub fn of(&self, args: &Args) -> Result<Vec<i64>, EngineError> {
        match self {
            Self::Known(numbers) => Ok(numbers.clone()),
            Self::Input(place) => args.ints(*place),
        }
    }
}

impl<'a> Site<'a> {
    /// A node whose inputs are `known` where they are constants, and depend on the pixels as `depends`
    /// says.
    #[must_use]
    pub fn new(
        node: &'a Node,
        (opset, kind, freed): (i64, Kind, bool),
        known: Vec<Option<&'a Tensor>>,
        depends: Vec<Dependence>,
    ) -> Self {
        Self { node, opset, kind, freed, known, depends, read: RefCell::default() }
    }

    /// Whether there is an input at this place.
    pub fn has(&self, place: usize) -> bool {
        self.node.inputs.get(place).is_some_and(|name| !name.is_empty())
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.node.inputs.len()
    }

    /// How many outputs are wanted.
    pub fn outputs(&self) -> usize {
        self.node.outputs.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1)
    }

    /// An input that is a constant.
    pub fn known(&self, place: usize) -> Option<&'a Tensor> {
        self.known.get(place).copied().flatten()
    }

    /// How an input depends on the pixels.
    pub fn dependence(&self, place: usize) -> Dependence {
        self.depends.get(place).copied().unwrap_or(Dependence::None)
    }

    /// The whole number of that name.
    pub fn int(&self, name: &'static str) -> Result<Option<i64>, OnnxError> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Int(value)) => Ok(Some(*value)),
            Some(other) => Err(self.misplaced(name, "a whole number", other)),
        }
    }

    /// The same with a default.
    pub fn int_or(&self, name: &'static str, default: i64) -> Result<i64, OnnxError> {
        Ok(self.int(name)?.unwrap_or(default))
    }

    /// The number of that name.
    pub fn float(&self, name: &'static str) -> Result<Option<f64>, OnnxError> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Float(value)) => Ok(Some(f64::from(*value))),
            Some(other) => Err(self.misplaced(name, "a number", other)),
        }
    }

    /// The same with a default, rounded to f32 as what stands in files is.
    pub fn float_or(&self, name: &'static str, default: f32) -> Result<f64, OnnxError> {
        Ok(self.float(name)?.unwrap_or(f64::from(default)))
    }

    /// The whole numbers of that name.
    pub fn ints(&self, name: &'static str) -> Result<Option<Vec<i64>>, OnnxError> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values.clone())),
            Some(other) => Err(self.misplaced(name, "whole numbers", other)),
        }
    }

    /// The numbers of that name.
    pub fn floats(&self, name: &'static str) -> Result<Option<Vec<f32>>, OnnxError> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Floats(values)) => Ok(Some(values.clone())),
            Some(other) => Err(self.misplaced(name, "numbers", other)),
        }
    }

    /// The text of that name.
    pub fn text_or(&self, name: &'static str, default: &'a str) -> Result<&'a str, OnnxError> {
        match self.attribute(name) {
            None => Ok(default),
            Some(Attribute::Text(value)) => Ok(value),
            Some(other) => Err(self.misplaced(name, "a text", other)),
        }
    }

    /// The tensor of that name.
    pub fn tensor(&self, name: &'static str) -> Result<Option<Tensor>, OnnxError> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Tensor(value)) => {
                tensor(value, self.kind).map(Some).map_err(|source| self.failed(source))
            }
            Some(other) => Err(self.misplaced(name, "a tensor", other)),
        }
    }

    /// Takes note of attributes that change nothing in evaluation.
    pub fn ignore(&self, names: &[&'static str]) {
        self.read.borrow_mut().extend(names);
    }

    /// Whole numbers that are the attribute `name`, or the input at `place` in newer versions; none where
    /// they are neither.
    pub fn numbers(&self, name: &'static str, place: usize) -> Result<Option<Ints>, OnnxError> {
        if let Some(values) = self.ints(name)? {
            return Ok(Some(Ints::Known(values)));
        }
        self.numbers_at(place)
    }

    /// Whole numbers that are the input at `place`; none where it is left out.
    pub fn numbers_at(&self, place: usize) -> Result<Option<Ints>, OnnxError> {
        if !self.has(place) {
            return Ok(None);
        }
        Ok(Some(match self.known(place) {
            Some(known) => Ints::Known(whole(known).map_err(|source| self.failed(source))?),
            None => Ints::Input(place),
        }))
    }

    /// Whole numbers that have to be there.
    pub fn needed(&self, found: Option<Ints>, what: &str) -> Result<Ints, OnnxError> {
        found.ok_or_else(|| self.wrong(what, "numbers", "none"))
    }

    /// The number of an input that is a constant with one; none where it is left out.
    pub fn scalar(&self, place: usize, what: &str) -> Result<Option<f64>, OnnxError> {
        match self.known(place) {
            Some(known) if known.numel() == 1 => {
                let value = known.f_reshape([1i64; 0]).and_then(|value| value.f_double_value(&[]));
                value.map(Some).map_err(|source| self.failed(source.into()))
            }
            Some(known) => {
                Err(self.wrong(what, "one number", &format!("numbers of shape {:?}", known.size())))
            }
            None if self.has(place) => {
                Err(self.wrong(what, "a constant", "a value that is computed"))
            }
            None => Ok(None),
        }
    }

    /// Refuses more outputs than so many.
    pub fn at_most_outputs(&self, most: usize) -> Result<(), OnnxError> {
        if self.outputs() <= most {
            return Ok(());
        }
        Err(self.wrong("outputs", &most.to_string(), &self.outputs().to_string()))
    }

    /// Refuses versions of the operators that do not have this one.
    pub fn since(&self, opset: i64) -> Result<(), OnnxError> {
        if self.opset >= opset {
            return Ok(());
        }
        Err(self.wrong("the operator", &format!("opset {opset} or newer"), "an older one"))
    }

    /// Refuses attributes that nobody has asked for: what is not known is not to be left out silently.
    pub fn all_read(&self) -> Result<(), OnnxError> {
        let read = self.read.borrow();
        match self.node.attributes.iter().find(|(name, _)| !read.iter().any(|read| read == name)) {
            Some((name, _)) => {
                let what = format!("attribute '{name}'");
                Err(self.wrong(&what, "an attribute of this operator in this opset", "it"))
            }
            None => Ok(()),
        }
    }

    /// The error for a setting with a value that is not known.
    pub fn wrong(&self, what: &str, expected: &str, found: &str) -> OnnxError {
        OnnxError::Value {
            at: Box::new(self.at()),
            what: what.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    /// The error for a node that cannot be computed.
    pub fn failed(&self, source: EngineError) -> OnnxError {
        OnnxError::Failed { at: Box::new(self.at()), source: Box::new(source) }
    }

    fn at(&self) -> At {
        At {
            node: self.node.label().to_owned(),
            operator: self.node.operator.clone(),
            opset: self.opset,
        }
    }

    fn attribute(&self, name: &'static str) -> Option<&'a Attribute> {
        self.read.borrow_mut().push(name);
        self.node.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn misplaced(&self, name: &str, expected: &str, found: &Attribute) -> OnnxError {
        let found = match found {
            Attribute::Float(_) => "a number",
            Attribute::Int(_) => "a whole number",
            Attribute::Text(_) => "a text",
            Attribute::Tensor(_) => "a tensor",
            Attribute::Floats(_) => "numbers",
            Attribute::Ints(_) => "whole numbers",
            Attribute::Texts(_) => "texts",
            Attribute::Other(what) => what,
        };
        self.wrong(&format!("attribute '{name}'"), expected, found)
    }
}
