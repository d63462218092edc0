//! Optimisers with their state in the open, so that training resumes bit for bit.

use tch::Tensor;

use crate::error::EngineError;
use crate::layer::Parameter;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

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
            let mut gradient = slot.parameter.f_grad()?;
            let _ = slot.mean.f_lerp_(&gradient, 1.0 - BETA1)?;
            let squared = gradient.f_square()?.f_mul_scalar_(1.0 - BETA2)?;
            let _ = slot.square.f_mul_scalar_(BETA2)?.f_add_(&squared)?;
            let length = slot.square.f_sqrt()?.f_div_scalar_(scale)?.f_add_scalar_(EPSILON)?;
            let update = slot.mean.f_div(&length)?.f_mul_scalar_(step_size)?;
            let _ = slot.parameter.f_sub_(&update)?;
            let _ = gradient.f_zero_()?;
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
