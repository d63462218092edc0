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
        if !found.defined() {
            return Err(EngineError::Input {
                what: "optimiser",
                expected: format!("a gradient of {}", self.name),
                found: "none: no loss was differentiated".to_owned(),
            });
        }
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
        // Rounded once each: 1 - beta of rounded betas would be another number.
        let [beta2, epsilon] = [BETA2, EPSILON].map(number);
        let [new1, new2] = [1.0 - BETA1, 1.0 - BETA2].map(number);
        let [step_size, scale] = [step_size, scale].map(number);
        shared(|| {
            parameter.zip(gradient).zip(mean.zip(square)).for_each(|((ps, gs), (ms, vs))| {
                for (((p, g), m), v) in ps.iter_mut().zip(gs.iter().copied()).zip(ms).zip(vs) {
                    *m = *m + (g - *m) * new1;
                    *v = *v * beta2 + g * g * new2;
                    *p = *p - step_size * *m / (v.sqrt() / scale + epsilon);
                }
            });
        });
        let _ = found.shallow_clone().f_zero_()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::channels_last;
    use tch::Device;

    fn wave(shape: &[i64], pace: f64) -> Tensor {
        let n = shape.iter().product::<i64>();
        (Tensor::arange(n, (Kind::Float, Device::Cpu)) * pace).sin().view(shape)
    }

    /// Would catch another constant than libtorch's in f32, a piece of a large parameter that is left
    /// out, and a gradient that lies otherwise than its parameter and is read in the wrong order.
    #[test]
    fn steps_in_f32_are_those_of_tensors() {
        for shape in [[3, 5, 4, 2], [40, 30, 5, 7]] {
            let tensor = channels_last(&wave(&shape, 0.7)).unwrap().set_requires_grad(true);
            let parameter =
                Parameter { name: "w".to_owned(), tensor: tensor.shallow_clone(), trainable: true };
            let mut adam = Adam::new([&parameter].into_iter(), 0.01).unwrap();
            assert!(adam.step().unwrap_err().to_string().contains("gradient of w"));
            adam.steps = 0;
            let (mut mean, mut square) = (tensor.zeros_like(), tensor.zeros_like());
            let mut expected = tensor.detach().copy();
            for step in 1..=3 {
                let gradient = wave(&shape, 0.3 * f64::from(step));
                (&tensor * &gradient).sum(Kind::Float).backward();
                adam.step().unwrap();
                let _ = mean.lerp_(&gradient, 1.0 - BETA1);
                square = square * BETA2 + gradient.square() * (1.0 - BETA2);
                let [first, second] = [BETA1, BETA2].map(|beta| 1.0 - beta.powi(step));
                let length = square.sqrt() / second.sqrt() + EPSILON;
                expected -= &mean / length * (0.01 / first);
                let apart = (&expected - tensor.detach()).abs().max().double_value(&[]);
                assert!(apart < 3e-7, "{shape:?}, step {step}: {apart}");
                assert_eq!(tensor.grad().abs().max().double_value(&[]).to_bits(), 0);
            }
        }
    }
}
