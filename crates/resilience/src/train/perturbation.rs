//! Adversarial weight perturbation.
//!
//! Source: Wu et al. 2020, Adversarial Weight Perturbation Helps Robust Generalization. With the
//! attacked images fixed, each weight tensor w (not the biases) is moved by
//! `gamma |w| g / (|g| + 1e-20)`, where g is the gradient of the loss with respect to it and lengths are
//! Euclidean; the gradient for the optimiser is taken there, and the weights are put back.
//!
//! The reference's step starts at the moved weights and goes back afterwards; here they are put back
//! first, to the bit. The two differ by the weight decay, which is of the weights here.

use tch::Tensor;

use crate::error::EngineError;
use crate::layer::Parameter;
use crate::model::{Learner, Lesson, Native};
use crate::recipe::Losses;
use crate::zoo::Network;

/// Keeps quotients by a length of 0 finite, as the reference does.
const TINY: f64 = 1e-20;

/// Weights that were moved, and what they were.
struct Perturbation<'a> {
    before: Vec<(&'a Parameter, Tensor)>,
}

impl<'a> Perturbation<'a> {
    /// Moves the network's weights along their gradients by gamma times their own length each.
    fn of(network: &'a Network, gamma: f64) -> Result<Self, EngineError> {
        let _guard = tch::no_grad_guard();
        let mut before = Vec::new();
        for parameter in network.trainable().filter(|parameter| is_weight(parameter)) {
            let weight = &parameter.tensor;
            let gradient = weight.f_grad()?;
            let length = weight.f_norm()?.f_mul_scalar(gamma)?;
            let scale = length.f_div(&gradient.f_norm()?.f_add_scalar(TINY)?)?;
            let mut kept = weight.f_empty_like()?;
            kept.f_copy_(weight)?;
            before.push((parameter, kept));
            let _ = weight.shallow_clone().f_add_(&gradient.f_mul(&scale)?)?;
        }
        Ok(Self { before })
    }

    /// Puts the weights back.
    fn undo(self) -> Result<(), EngineError> {
        let _guard = tch::no_grad_guard();
        for (parameter, before) in self.before {
            parameter.tensor.shallow_clone().f_copy_(&before)?;
        }
        Ok(())
    }
}

/// As the reference picks them.
fn is_weight(parameter: &Parameter) -> bool {
    parameter.tensor.dim() > 1 && parameter.name.contains("weight")
}

/// Leaves the gradient of `learn`'s loss at perturbed weights in the parameters, and gives the losses there;
/// `attacked` makes the images at the weights as they are, where `learn` is called first.
pub fn gradients(
    learner: &mut Learner,
    model: &Native,
    gamma: f64,
    attacked: impl FnOnce(&Lesson) -> Result<Tensor, EngineError>,
    learn: impl Fn(&Lesson, &Tensor) -> Result<Losses, EngineError>,
) -> Result<Losses, EngineError> {
    let images = learner.learn(attacked)?;
    let network = model.network();
    let losses = learner.rehearse(|lesson| learn(lesson, &images))?;
    if !losses.total.is_finite() {
        return Ok(losses);
    }
    let perturbation = Perturbation::of(network, gamma)?;
    for parameter in network.trainable() {
        let _ = parameter.tensor.f_grad()?.f_zero_()?;
    }
    let losses = learner.learn(|lesson| learn(lesson, &images));
    perturbation.undo()?;
    losses
}
