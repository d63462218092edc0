//! Optimisers with their state in the open, so that training resumes bit for bit.

use num_traits::Float;
use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSlice, ParallelSliceMut};
use tch::kind::Element;
use tch::{Kind, Tensor};

use crate::error::EngineError;
use crate::host::numbers_mut;
use crate::layer::Parameter;
use crate::threads::shared;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Numbers that a thread takes at once.
const PIECE: usize = 16 * 1024;

/// Adam (Kingma and Ba 2015) with PyTorch's constants: betas 0.9 and 0.999, epsilon 1e-8, no
/// weight decay.
#[derive(Debug)]
pub struct Adam {
    learning_rate: f64,
    steps: u64,
    slots: Vec<Slot>,
}

/// The state of one parameter.
#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Tensor,
    mean: Tensor,
    square: Tensor,
}

impl Adam {
    /// An optimiser for these parameters, at step 0.
    pub fn new<'a>(
        parameters: impl Iterator<Item = &'a Parameter>,
        learning_rate: f64,
    ) -> Result<Self, EngineError> {
        let slots = parameters
            .map(|parameter| {
                let value = parameter.tensor.f_detach()?;
                Ok(Slot {
                    name: parameter.name.clone(),
                    parameter: parameter.tensor.shallow_clone(),
                    mean: value.f_zeros_like()?,
                    square: value.f_zeros_like()?,
                })
            })
            .collect::<Result<_, EngineError>>()?;
        Ok(Self { learning_rate, steps: 0, slots })
    }

    /// Takes one step along the parameters' gradients and clears them.
    pub fn step(&mut self) -> Result<(), EngineError> {
        let _guard = tch::no_grad_guard();
        self.steps += 1;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let step_size = self.learning_rate / (1.0 - BETA1.powi(steps));
        let scale = (1.0 - BETA2.powi(steps)).sqrt();
        for slot in &mut self.slots {
            match slot.parameter.kind() {
                Kind::Double => slot.step::<f64>(step_size, scale)?,
                _ => slot.step::<f32>(step_size, scale)?,
            }
        }
        Ok(())
    }

    /// Its state: the number of steps, and two tensors a parameter.
    pub fn state(&self) -> (u64, impl Iterator<Item = (String, &Tensor)>) {
        let tensors = self.slots.iter().flat_map(|slot| {
            [
                (format!("adam.mean.{}", slot.name), &slot.mean),
                (format!("adam.square.{}", slot.name), &slot.square),
            ]
        });
        (self.steps, tensors)
    }

    /// The same state, to be written to.
    pub fn restore(&mut self, steps: u64) -> impl Iterator<Item = (String, &mut Tensor)> {
        self.steps = steps;
        self.slots.iter_mut().flat_map(|slot| {
            [
                (format!("adam.mean.{}", slot.name), &mut slot.mean),
                (format!("adam.square.{}", slot.name), &mut slot.square),
            ]
        })
    }
}

impl Slot {
    /// A step of this parameter: everything is read and written once, on all threads.
    fn step<T: Element + Float + Send + Sync>(
        &mut self,
        step_size: f64,
        scale: f64,
    ) -> Result<(), EngineError> {
        let found = self.parameter.f_grad()?;
        // Mostly it lies as its parameter does, and is shared.
        let mut gradient = found.shallow_clone();
        if gradient.stride() != self.parameter.stride() {
            gradient = self.parameter.f_empty_like()?;
            gradient.f_copy_(&found)?;
        }
        let parameter = numbers_mut::<T>(&mut self.parameter)?.par_chunks_mut(PIECE);
        let gradient = numbers_mut::<T>(&mut gradient)?.par_chunks(PIECE);
        let mean = numbers_mut::<T>(&mut self.mean)?.par_chunks_mut(PIECE);
        let square = numbers_mut::<T>(&mut self.square)?.par_chunks_mut(PIECE);
        let number = |value: f64| T::from(value).unwrap_or_else(T::nan);
        let [beta1, beta2, epsilon] = [BETA1, BETA2, EPSILON].map(number);
        let [step_size, scale] = [step_size, scale].map(number);
        let one = T::one();
        shared(|| {
            parameter.zip(gradient).zip(mean.zip(square)).for_each(|((ps, gs), (ms, vs))| {
                for (((p, g), m), v) in ps.iter_mut().zip(gs.iter().copied()).zip(ms).zip(vs) {
                    *m = *m + (g - *m) * (one - beta1);
                    *v = *v * beta2 + g * g * (one - beta2);
                    *p = *p - step_size * *m / (v.sqrt() / scale + epsilon);
                }
            });
        });
        let _ = found.shallow_clone().f_zero_()?;
        Ok(())
    }
}
