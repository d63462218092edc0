//! A graph whose nodes are libtorch operations.

use std::collections::HashMap;

use resilience_core::format::onnx::{Graph, Node};
use resilience_core::record::LayerRecord;
use tch::{Kind, Tensor};

use super::convert::{is_float, tensor};
use super::translation::{Args, Role, Run};
use super::{At, Dependence, OnnxError, Operator, Site, operator};
use crate::error::EngineError;

/// Numbers that one value may have: more is a graph that means no classifier of images.
const MOST: usize = 1 << 31;

/// A graph with one input and one output, ready to be computed.
pub struct Translated {
    opset: i64,
    /// What floats are computed in.
    pub(super) kind: Kind,
    /// Constants by their place; none where a step gives the value.
    pub(super) constants: Vec<Option<Tensor>>,
    /// What is computed, in order.
    pub(super) steps: Vec<Step>,
    /// Where the pixels go.
    pub(super) input: usize,
    /// Where the logits come from.
    pub(super) output: usize,
    /// Values that nothing needs any more after a step.
    spent: Vec<Vec<usize>>,
}

/// A node as an operation on values by their places.
#[derive(Clone)]
pub(super) struct Step {
    pub label: String,
    /// What floats are computed in, whatever they come in; as they come where it is none.
    pub kind: Option<Kind>,
    pub operator: &'static Operator,
    pub run: Run,
    pub role: Role,
    pub inputs: Vec<Option<usize>>,
    pub outputs: Vec<Option<usize>>,
}

impl Step {
    fn at(&self, opset: i64) -> At {
        let (node, operator) = (self.label.clone(), self.operator.name.to_owned());
        At { node, operator, opset }
    }
}

impl Translated {
    /// Translates a graph whose floats are computed in `kind`. With `freed`, it was exported for one image
    /// and takes any number: where the one stands in it as a number, that of the images takes its place.
    pub fn new(graph: &Graph, kind: Kind, freed: bool) -> Result<Self, EngineError> {
        let mut builder = Builder::new(graph, kind, freed)?;
        for node in &graph.nodes {
            builder.add(node)?;
        }
        builder.finish(graph)
    }

    /// Normalised images in the layout of the graph's input -> its output. `rows` is how many images there
    /// are for each that the graph was exported for.
    pub fn forward(&self, images: &Tensor, rows: i64) -> Result<Tensor, EngineError> {
        self.walk(images, rows, |_, _, _| {})
    }

    /// What floats are computed in.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The same values in other places, with other constants: for another form of the network.
    pub(super) fn with(&self, constants: Vec<Option<Tensor>>, steps: Vec<Step>) -> Self {
        let spent = spent(&steps, self.output);
        let &Self { opset, kind, input, output, .. } = self;
        Self { opset, kind, constants, steps, input, output, spent }
    }

    /// Numbers that stand in the file and that the network multiplies with or adds: constants of floats
    /// that steps take.
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        self.steps.iter().map(|step| self.parameters(step)).sum()
    }

    /// The steps with the shapes that they really give for one image `[1,…]`, and the multiplications that
    /// are added up in them.
    pub fn describe(&self, image: &Tensor) -> Result<(Vec<LayerRecord>, u64), EngineError> {
        let _guard = tch::no_grad_guard();
        let (mut layers, mut products) = (Vec::new(), 0);
        let _ = self.walk(image, 1, |step, args, outputs| {
            let Some(first) = outputs.first() else { return };
            products += step.operator.summed.map_or(0, |of| of(args)) * first.numel() as u64;
            let layer = LayerRecord {
                name: step.label.clone(),
                kind: step.operator.name.to_owned(),
                output: first.size().iter().skip(1).map(|&side| side as u64).collect(),
                parameters: self.parameters(step),
            };
            // Shapes are computed on the way; only what becomes of the pixels is a layer.
            if is_float(first.kind()) {
                layers.push(layer);
            }
        })?;
        Ok((layers, products))
    }

    fn parameters(&self, step: &Step) -> u64 {
        let known =
            step.inputs.iter().flatten().filter_map(|&place| self.constants[place].as_ref());
        known.filter(|known| is_float(known.kind())).map(|known| known.numel() as u64).sum()
    }

    fn walk(
        &self,
        images: &Tensor,
        rows: i64,
        mut see: impl FnMut(&Step, &Args, &[Tensor]),
    ) -> Result<Tensor, EngineError> {
        let mut values: Vec<Option<Tensor>> = vec![];
        values.resize_with(self.constants.len(), || None);
        values[self.input] = Some(images.shallow_clone());
        for (step, spent) in self.steps.iter().zip(&self.spent) {
            let inputs: Vec<Option<&Tensor>> = step
                .inputs
                .iter()
                .map(|place| {
                    place.and_then(|at| values[at].as_ref().or(self.constants[at].as_ref()))
                })
                .collect();
            let cast = cast(&inputs, step.kind).map_err(|source| self.failed(step, source))?;
            let inputs: Vec<Option<&Tensor>> = match &cast {
                Some(cast) => cast.iter().map(Option::as_ref).collect(),
                None => inputs,
            };
            let args = Args { values: &inputs, rows, kind: step.kind.unwrap_or(self.kind) };
            let outputs = (step.run)(&args).map_err(|source| self.failed(step, source))?;
            see(step, &args, &outputs);
            for (place, value) in step.outputs.iter().zip(outputs) {
                if let Some(at) = *place {
                    values[at] = Some(value);
                }
            }
            for &at in spent {
                values[at] = None;
            }
        }
        values[self.output].take().ok_or_else(|| {
            // A graph whose output is a constant was refused.
            EngineError::Input {
                what: "an ONNX graph",
                expected: "an output".to_owned(),
                found: "none".to_owned(),
            }
        })
    }

    fn failed(&self, step: &Step, source: EngineError) -> EngineError {
        OnnxError::Failed { at: Box::new(step.at(self.opset)), source: Box::new(source) }.into()
    }
}

/// The floats among the inputs in another kind, and the others as they are; none where nothing is to be
/// done.
fn cast(
    inputs: &[Option<&Tensor>],
    kind: Option<Kind>,
) -> Result<Option<Vec<Option<Tensor>>>, EngineError> {
    let Some(kind) = kind else { return Ok(None) };
    let cast = |input: Option<&Tensor>| -> Result<Option<Tensor>, EngineError> {
        Ok(match input {
            Some(value) if is_float(value.kind()) => Some(value.f_to_kind(kind)?),
            Some(value) => Some(value.shallow_clone()),
            None => None,
        })
    };
    inputs.iter().copied().map(cast).collect::<Result<_, _>>().map(Some)
}

/// For each step the values that it is the last to take.
fn spent(steps: &[Step], output: usize) -> Vec<Vec<usize>> {
    let mut last = HashMap::new();
    for (number, step) in steps.iter().enumerate() {
        for &place in step.inputs.iter().chain(&step.outputs).flatten() {
            last.insert(place, number);
        }
    }
    last.remove(&output);
    let mut spent = vec![Vec::new(); steps.len()];
    for (place, number) in last {
        spent[number].push(place);
    }
    spent
}

/// A graph while it is translated.
struct Builder<'a> {
    opset: i64,
    kind: Kind,
    freed: bool,
    places: HashMap<&'a str, usize>,
    constants: Vec<Option<Tensor>>,
    depends: Vec<Dependence>,
    steps: Vec<Step>,
}

impl<'a> Builder<'a> {
    fn new(graph: &'a Graph, kind: Kind, freed: bool) -> Result<Self, EngineError> {
        let mut builder = Self {
            opset: graph.opset,
            kind,
            freed,
            places: HashMap::new(),
            constants: Vec::new(),
            depends: Vec::new(),
            steps: Vec::new(),
        };
        for port in &graph.inputs {
            builder.place(&port.name, None, Dependence::Pixels);
        }
        for (name, array) in &graph.initialisers {
            builder.place(name, Some(tensor(array, kind)?), Dependence::None);
        }
        Ok(builder)
    }

    fn place(&mut self, name: &'a str, known: Option<Tensor>, depends: Dependence) -> usize {
        let place = self.constants.len();
        self.constants.push(known);
        self.depends.push(depends);
        self.places.insert(name, place);
        place
    }

    fn add(&mut self, node: &'a Node) -> Result<(), EngineError> {
        let operator = operator::find(node, self.opset)?;
        let inputs: Vec<Option<usize>> =
            node.inputs.iter().map(|name| self.places.get(name.as_str()).copied()).collect();
        let known: Vec<Option<&Tensor>> =
            inputs.iter().map(|place| place.and_then(|at| self.constants[at].as_ref())).collect();
        let depends: Vec<Dependence> = inputs
            .iter()
            .map(|place| place.map_or(Dependence::None, |at| self.depends[at]))
            .collect();
        let site =
            Site::new(node, (self.opset, self.kind, self.freed), known.clone(), depends.clone());
        if let Some(missing) = (0..operator.inputs).find(|&place| !site.has(place)) {
            let what = format!("input {missing}");
            return Err(site.wrong(&what, "a value", "none").into());
        }
        let translation = (operator.translate)(&site)?;
        site.all_read()?;
        let depends = Dependence::through(translation.gradient, &depends, self.steps.len());
        if depends == Dependence::None {
            let _guard = tch::no_grad_guard();
            let args = Args { values: &known, rows: 1, kind: self.kind };
            let values = (translation.run)(&args).map_err(|source| site.failed(source))?;
            if let Some(large) = values.iter().find(|value| value.numel() > MOST) {
                let found = format!("{:?}", large.size());
                return Err(site.wrong("the result", "fewer than 2^31 numbers", &found).into());
            }
            for (name, value) in node.outputs.iter().zip(values) {
                self.place(name, Some(value), Dependence::None);
            }
            return Ok(());
        }
        drop(known);
        let mut outputs = Vec::new();
        for name in &node.outputs {
            let place = (!name.is_empty()).then(|| self.place(name, None, depends));
            outputs.push(place);
        }
        let label = node.label().to_owned();
        let (run, role) = (translation.run, translation.role);
        self.steps.push(Step { label, kind: None, operator, run, role, inputs, outputs });
        Ok(())
    }

    fn finish(self, graph: &Graph) -> Result<Translated, EngineError> {
        let place = |name: &str| self.places.get(name).copied();
        let ends = (graph.inputs.first(), graph.outputs.first());
        let (Some(first), Some(last)) = ends else { return Err(no_output("").into()) };
        let (Some(input), Some(output)) = (place(&first.name), place(&last.name)) else {
            return Err(no_output(&last.name).into());
        };
        match self.depends[output] {
            Dependence::Pixels => {}
            Dependence::None | Dependence::Shape => return Err(no_output(&last.name).into()),
            Dependence::Blocked(step) => {
                return Err(OnnxError::NoGradient(Box::new(self.steps[step].at(self.opset))).into());
            }
        }
        let spent = spent(&self.steps, output);
        let Self { opset, kind, constants, steps, .. } = self;
        Ok(Translated { opset, kind, constants, steps, input, output, spent })
    }
}

fn no_output(name: &str) -> OnnxError {
    OnnxError::Constant { output: name.to_owned() }
}
