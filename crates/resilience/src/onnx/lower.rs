//! A graph of convolutions and fully connected layers in our own kernels.

use std::collections::HashMap;

use tch::{Kind, Tensor};

use super::translated::{Step, Translated};
use super::translation::Role;
use crate::error::EngineError;
use crate::kernel::{Program, Weights};
use crate::layer::Window;

impl Translated {
    /// The same network as a program for normalised images of this shape (channels, height, width). None
    /// where there is no kernel for a step, or its place in the graph is not one that kernels know.
    pub fn lowered(&self, shape: [i64; 3]) -> Result<Option<Program>, EngineError> {
        let mut lowering = Lowering {
            graph: self,
            program: Program::new(shape.map(|side| side as usize)),
            slots: HashMap::from([(self.input, 0)]),
            waiting: HashMap::new(),
        };
        for step in &self.steps {
            if lowering.add(step)?.is_none() {
                return Ok(None);
            }
        }
        let last = lowering.slots.get(&self.output) == Some(&lowering.program.top());
        Ok(last.then_some(lowering.program))
    }
}

/// A program while it is put together.
struct Lowering<'a> {
    graph: &'a Translated,
    program: Program,
    /// Slots of the program by the places of the graph's values.
    slots: HashMap<usize, usize>,
    /// Convolutions that are computed together with the sum that takes them.
    waiting: HashMap<usize, (&'a Step, Window)>,
}

impl<'a> Lowering<'a> {
    /// None where there is no kernel for it.
    fn add(&mut self, step: &'a Step) -> Result<Option<()>, EngineError> {
        let (Some(from), Some(to)) = (place(&step.inputs, 0), place(&step.outputs, 0)) else {
            return Ok(None);
        };
        let slot = match step.role {
            Role::Convolution(Some(window)) if self.only_added(to) => {
                self.waiting.insert(to, (step, window));
                return Ok(Some(()));
            }
            Role::Convolution(Some(window)) => self.convolution(step, window, None)?,
            Role::Add => match place(&step.inputs, 1) {
                Some(other) => self.sum(from, other)?,
                None => None,
            },
            Role::Linear => self.linear(step)?,
            // It changes the slot itself: nothing else may see what it was.
            Role::Relu if self.is_top(from) && self.takers(from) == 1 => {
                self.program.relu().map(|()| self.program.top())
            }
            Role::Average if self.is_top(from) => self.program.average(),
            // The mean over all pixels is a row of features already.
            Role::Flatten if self.is_top(from) => self
                .program
                .flatten()
                .or_else(|| self.program.is_features().then(|| self.program.top())),
            _ => None,
        };
        Ok(slot.map(|slot| {
            self.slots.insert(to, slot);
        }))
    }

    fn is_top(&self, value: usize) -> bool {
        self.slots.get(&value) == Some(&self.program.top())
    }

    fn takers(&self, value: usize) -> usize {
        let all = self.graph.steps.iter().flat_map(|step| &step.inputs);
        all.filter(|&&at| at == Some(value)).count() + usize::from(value == self.graph.output)
    }

    /// Whether one sum takes a value, and nothing else does.
    fn only_added(&self, value: usize) -> bool {
        let adds = |step: &Step| step.role == Role::Add && step.inputs.contains(&Some(value));
        self.takers(value) == 1 && self.graph.steps.iter().any(adds)
    }

    /// A convolution of whichever slot it takes, with another slot added.
    fn convolution(
        &mut self,
        step: &Step,
        window: Window,
        add: Option<usize>,
    ) -> Result<Option<usize>, EngineError> {
        let from = place(&step.inputs, 0).and_then(|at| self.slots.get(&at).copied());
        let Some((from, weight, bias)) = from.zip(self.weights(step)?).map(|(f, (w, b))| (f, w, b))
        else {
            return Ok(None);
        };
        let size = weight.size();
        let channels = [size[1] as usize, size[0] as usize];
        let (numbers, bias) = (numbers(&weight)?, numbers(&bias)?);
        let weights = Weights { name: &step.label, numbers: &numbers, channels, bias: &bias };
        Ok(self.program.convolution(from, &weights, window, add))
    }

    /// A sum of two of which a convolution is the one at least.
    fn sum(&mut self, first: usize, second: usize) -> Result<Option<usize>, EngineError> {
        let (one, other) = match self.waiting.remove(&first) {
            Some(conv) => (conv, second),
            None => match self.waiting.remove(&second) {
                Some(conv) => (conv, first),
                None => return Ok(None),
            },
        };
        let added = match self.waiting.remove(&other) {
            Some((step, window)) => self.convolution(step, window, None)?,
            None => self.slots.get(&other).copied(),
        };
        let Some(added) = added else { return Ok(None) };
        let (step, window) = one;
        self.convolution(step, window, Some(added))
    }

    fn linear(&mut self, step: &Step) -> Result<Option<usize>, EngineError> {
        let fits = place(&step.inputs, 0).is_some_and(|from| self.is_top(from));
        let Some((weight, bias)) = self.weights(step)?.filter(|_| fits) else { return Ok(None) };
        let size = weight.size();
        let channels = [size[1] as usize, size[0] as usize];
        let (numbers, bias) = (numbers(&weight)?, numbers(&bias)?);
        if bias.len() != channels[1] {
            return Ok(None);
        }
        let weights = Weights { name: &step.label, numbers: &numbers, channels, bias: &bias };
        Ok(self.program.linear(&weights))
    }

    /// Weights and bias of a step, where they are constants; zeros in place of no bias.
    fn weights(&self, step: &Step) -> Result<Option<(Tensor, Tensor)>, EngineError> {
        let known = |at: usize| {
            let place = place(&step.inputs, at)?;
            self.graph.constants[place].as_ref().map(Tensor::shallow_clone)
        };
        let Some(weight) = known(1) else { return Ok(None) };
        let bias = match place(&step.inputs, 2) {
            Some(_) => known(2),
            None => Some(Tensor::f_zeros(&weight.size()[..1], (weight.kind(), tch::Device::Cpu))?),
        };
        Ok(bias.map(|bias| (weight, bias)))
    }
}

fn place(places: &[Option<usize>], at: usize) -> Option<usize> {
    places.get(at).copied().flatten()
}

/// The numbers of a tensor in the order of its dimensions.
fn numbers(tensor: &Tensor) -> Result<Vec<f32>, EngineError> {
    let flat = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
    Ok(Vec::try_from(flat)?)
}
