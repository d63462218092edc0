//! Optimisers with their state in the open, so that training resumes bit for bit.

use num_traits::Float;
use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSlice, ParallelSliceMut};
use resilience_core::method::Optimiser as Rule;
use tch::kind::Element;
use tch::{Device, Kind, Tensor};

use crate::error::EngineError;
use crate::host::numbers_mut;
use crate::layer::Parameter;
use crate::threads::shared;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Numbers that a thread takes at once.
const PIECE: usize = 16 * 1024;

/// Adam (Kingma and Ba 2015; betas 0.9 and 0.999, epsilon 1e-8), Adam with a decay of its own
/// (Loshchilov and Hutter 2019), or SGD with momentum: all in PyTorch's form.
#[derive(Debug)]
pub struct Optimiser {
    rule: Rule,
    steps: u64,
    slots: Vec<Slot>,
}

/// The state of one parameter.
#[derive(Debug)]
struct Slot {
    name: String,
    parameter: Tensor,
    /// What the rule remembers, like the parameter: nothing, the momentum, or both of Adam's means.
    memory: Vec<Tensor>,
}

/// What a rule remembers of a parameter, by name.
const fn memory(rule: &Rule) -> &'static [&'static str] {
    match rule {
        Rule::Adam { .. } | Rule::Adamw { .. } => &["mean", "square"],
        Rule::Sgd { .. } => &["momentum"],
    }
}

impl Optimiser {
    /// An optimiser for these parameters, at step 0.
    pub fn new<'a>(
        parameters: impl Iterator<Item = &'a Parameter>,
        rule: Rule,
    ) -> Result<Self, EngineError> {
        let slots = parameters
            .map(|parameter| {
                let value = parameter.tensor.f_detach()?;
                Ok(Slot {
                    name: parameter.name.clone(),
                    parameter: parameter.tensor.shallow_clone(),
                    memory: memory(&rule)
                        .iter()
                        .map(|_| value.f_zeros_like())
                        .collect::<Result<_, _>>()?,
                })
            })
            .collect::<Result<_, EngineError>>()?;
        Ok(Self { rule, steps: 0, slots })
    }

    /// Takes one step along the parameters' gradients, `factor` times as long as the rule's learning
    /// rate says, and clears them.
    pub fn step(&mut self, factor: f64) -> Result<(), EngineError> {
        let _guard = tch::no_grad_guard();
        self.steps += 1;
        let update = self.update(factor);
        for slot in &mut self.slots {
            match (slot.parameter.device(), slot.parameter.kind()) {
                (Device::Cpu, Kind::Double) => slot.step::<f64>(update)?,
                (Device::Cpu, _) => slot.step::<f32>(update)?,
                _ => slot.step_where_it_is(update)?,
            }
        }
        Ok(())
    }

    /// What a step with this factor does to every parameter.
    fn update(&self, factor: f64) -> Update {
        let rate = self.rule.learning_rate() * factor;
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        match self.rule {
            Rule::Adam { weight_decay, .. } => Update::adam(rate, steps, 0.0, weight_decay),
            Rule::Adamw { weight_decay, .. } => Update::adam(rate, steps, rate * weight_decay, 0.0),
            Rule::Sgd { momentum, nesterov, weight_decay, .. } => {
                Update::Sgd { rate, momentum, nesterov, decay: weight_decay }
            }
        }
    }

    /// Its state: the number of steps, and what it remembers of each parameter.
    pub fn state(&self) -> (u64, impl Iterator<Item = (String, &Tensor)>) {
        let names = memory(&self.rule);
        let tensors = self.slots.iter().flat_map(move |slot| {
            let named = |(name, tensor)| (format!("{PREFIX}{name}.{}", slot.name), tensor);
            names.iter().zip(&slot.memory).map(named)
        });
        (self.steps, tensors)
    }

    /// The same state, to be written to.
    pub fn restore(&mut self, steps: u64) -> impl Iterator<Item = (String, &mut Tensor)> {
        self.steps = steps;
        let names = memory(&self.rule);
        self.slots.iter_mut().flat_map(move |slot| {
            let own = slot.name.clone();
            let named = move |(name, tensor)| (format!("{PREFIX}{name}.{own}"), tensor);
            names.iter().zip(&mut slot.memory).map(named)
        })
    }
}

/// What the names of an optimiser's state begin with.
pub const PREFIX: &str = "optimiser.";

/// One step's constants.
#[derive(Clone, Copy, Debug)]
enum Update {
    Adam {
        /// The learning rate over the bias of the mean.
        step_size: f64,
        /// The root of the bias of the mean of squares.
        scale: f64,
        /// Share that is taken off the parameter first.
        shrink: f64,
        /// Share of the parameter that is added to its gradient.
        decay: f64,
    },
    Sgd {
        rate: f64,
        momentum: f64,
        nesterov: bool,
        decay: f64,
    },
}

impl Update {
    fn adam(rate: f64, steps: i32, shrink: f64, decay: f64) -> Self {
        Self::Adam {
            step_size: rate / (1.0 - BETA1.powi(steps)),
            scale: (1.0 - BETA2.powi(steps)).sqrt(),
            shrink,
            decay,
        }
    }
}

impl Slot {
    fn gradient(&self) -> Result<Tensor, EngineError> {
        let found = self.parameter.f_grad()?;
        if found.defined() {
            return Ok(found);
        }
        Err(EngineError::Input {
            what: "optimiser",
            expected: format!("a gradient of {}", self.name),
            found: "none: no loss was differentiated".to_owned(),
        })
    }

    /// A step of this parameter on the host: everything is read and written once, on all threads.
    fn step<T: Element + Float + Send + Sync>(
        &mut self,
        update: Update,
    ) -> Result<(), EngineError> {
        let found = self.gradient()?;
        // Mostly it lies as its parameter does, and is shared.
        let mut gradient = found.shallow_clone();
        if gradient.stride() != self.parameter.stride() {
            gradient = self.parameter.f_empty_like()?;
            gradient.f_copy_(&found)?;
        }
        let ps = numbers_mut::<T>(&mut self.parameter)?.par_chunks_mut(PIECE);
        let gs = numbers_mut::<T>(&mut gradient)?.par_chunks(PIECE);
        match (update, self.memory.as_mut_slice()) {
            (Update::Adam { step_size, scale, shrink, decay }, [mean, square]) => {
                let memory = numbers_mut::<T>(mean)?
                    .par_chunks_mut(PIECE)
                    .zip(numbers_mut::<T>(square)?.par_chunks_mut(PIECE));
                // Rounded once each: 1 - beta of rounded betas would be another number.
                let [beta2, epsilon] = [BETA2, EPSILON].map(number::<T>);
                let [new1, new2] = [1.0 - BETA1, 1.0 - BETA2].map(number::<T>);
                let [step_size, scale, decay] = [step_size, scale, decay].map(number::<T>);
                let keep = number::<T>(1.0 - shrink);
                shared(|| {
                    ps.zip(gs).zip(memory).for_each(|((ps, gs), (ms, vs))| {
                        let memory = ms.iter_mut().zip(vs);
                        for ((p, &g), (m, v)) in ps.iter_mut().zip(gs).zip(memory) {
                            let g = g + decay * *p;
                            *m = *m + (g - *m) * new1;
                            *v = *v * beta2 + g * g * new2;
                            *p = *p * keep - step_size * *m / (v.sqrt() / scale + epsilon);
                        }
                    });
                });
            }
            (Update::Sgd { rate, momentum, nesterov, decay }, [buffer]) => {
                let buffer = numbers_mut::<T>(buffer)?.par_chunks_mut(PIECE);
                let [rate, momentum, decay] = [rate, momentum, decay].map(number::<T>);
                shared(|| {
                    ps.zip(gs).zip(buffer).for_each(|((ps, gs), bs)| {
                        for ((p, &g), b) in ps.iter_mut().zip(gs).zip(bs) {
                            let g = g + decay * *p;
                            *b = momentum * *b + g;
                            let along = if nesterov { g + momentum * *b } else { *b };
                            *p = *p - rate * along;
                        }
                    });
                });
            }
            _ => unreachable!("a slot remembers what its rule needs"),
        }
        let _ = found.shallow_clone().f_zero_()?;
        Ok(())
    }
}

impl Slot {
    /// The same step in libtorch's operations, for a parameter on another device.
    fn step_where_it_is(&mut self, update: Update) -> Result<(), EngineError> {
        let mut gradient = self.gradient()?;
        let p = &mut self.parameter;
        match (update, self.memory.as_mut_slice()) {
            (Update::Adam { step_size, scale, shrink, decay }, [mean, square]) => {
                let along = gradient.f_add(&p.f_mul_scalar(decay)?)?;
                let _ = mean.f_lerp_(&along, 1.0 - BETA1)?;
                let fresh = along.f_square()?.f_mul_scalar(1.0 - BETA2)?;
                let _ = square.f_mul_scalar_(BETA2)?.f_add_(&fresh)?;
                let length = square.f_sqrt()?.f_div_scalar(scale)?.f_add_scalar(EPSILON)?;
                let step = mean.f_div(&length)?.f_mul_scalar(step_size)?;
                let _ = p.f_mul_scalar_(1.0 - shrink)?.f_sub_(&step)?;
            }
            (Update::Sgd { rate, momentum, nesterov, decay }, [buffer]) => {
                let along = gradient.f_add(&p.f_mul_scalar(decay)?)?;
                let _ = buffer.f_mul_scalar_(momentum)?.f_add_(&along)?;
                let along = if nesterov {
                    along.f_add(&buffer.f_mul_scalar(momentum)?)?
                } else {
                    buffer.shallow_clone()
                };
                let _ = p.f_sub_(&along.f_mul_scalar(rate)?)?;
            }
            _ => unreachable!("a slot remembers what its rule needs"),
        }
        let _ = gradient.f_zero_()?;
        Ok(())
    }
}

fn number<T: Float>(value: f64) -> T {
    T::from(value).unwrap_or_else(T::nan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::channels_last;

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
            let parameter = Parameter {
                name: "w".to_owned(),
                tensor: tensor.shallow_clone(),
                trainable: true,
                needed: true,
            };
            let rule = Rule::Adam { learning_rate: 0.01, weight_decay: 0.0 };
            let mut adam = Optimiser::new([&parameter].into_iter(), rule).unwrap();
            assert!(adam.step(1.0).unwrap_err().to_string().contains("gradient of w"));
            adam.steps = 0;
            let (mut mean, mut square) = (tensor.zeros_like(), tensor.zeros_like());
            let mut expected = tensor.detach().copy();
            for step in 1..=3 {
                let gradient = wave(&shape, 0.3 * f64::from(step));
                (&tensor * &gradient).sum(Kind::Float).backward();
                adam.step(1.0).unwrap();
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

    /// Would catch a step on another device that is not the step on the host: three steps of every rule
    /// with all it has, in f64, from the same state.
    #[test]
    fn steps_of_tensors_are_those_on_the_host() {
        let rate = 0.01;
        let adam = |weight_decay| Rule::Adam { learning_rate: rate, weight_decay };
        let sgd = |nesterov| Rule::Sgd {
            learning_rate: rate,
            momentum: 0.9,
            nesterov,
            weight_decay: 0.05,
        };
        let decoupled = Rule::Adamw { learning_rate: rate, weight_decay: 0.05 };
        for rule in [adam(0.0), adam(0.05), decoupled, sgd(false), sgd(true)] {
            let optimisers = [(); 2].map(|()| {
                let tensor = wave(&[3, 5], 0.7).to_kind(Kind::Double).set_requires_grad(true);
                let parameter =
                    Parameter { name: "w".to_owned(), tensor, trainable: true, needed: true };
                (Optimiser::new([&parameter].into_iter(), rule).unwrap(), parameter)
            });
            let [(mut host, at_host), (mut other, elsewhere)] = optimisers;
            for step in 1..=3 {
                let gradient = wave(&[3, 5], 0.3 * f64::from(step));
                for parameter in [&at_host, &elsewhere] {
                    (&parameter.tensor * &gradient).sum(Kind::Double).backward();
                }
                host.step(0.5).unwrap();
                let _guard = tch::no_grad_guard();
                other.steps += 1;
                let update = other.update(0.5);
                other.slots[0].step_where_it_is(update).unwrap();
                let apart = (at_host.tensor.detach() - elsewhere.tensor.detach()).abs().max();
                assert!(apart.double_value(&[]) < 1e-15, "{rule:?}, step {step}: {apart:?}");
                assert_eq!(elsewhere.tensor.grad().abs().max().double_value(&[]).to_bits(), 0);
            }
            let moved = (at_host.tensor.detach() - wave(&[3, 5], 0.7)).abs().max();
            assert!(moved.double_value(&[]) > 1e-3, "{rule:?}");
        }
    }
}
