//! Fast gradient sign method.
//!
//! Source: Goodfellow, Shlens and Szegedy 2015, Explaining and Harnessing Adversarial Examples.
//! With true labels it agrees with torchattacks' `FGSM`, with the model's own predictions as
//! labels with ART's `FastGradientMethod` when no labels are given.
//!
//! Update: `x' = clip(x + eps d, 0, 1)`, where d is the direction of unit length in which the
//! cross-entropy grows fastest: its gradient's sign for Linf, the gradient over its length for L2.
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. One forward and one backward pass per image. Where the
//! gradient is zero the image stays as it is.

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Attack, AttackSpec, Rows, State};
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::Differentiable;

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "fgsm",
    title: "Fast gradient sign method",
    source: "Goodfellow et al. 2015, Explaining and Harnessing Adversarial Examples; torchattacks \
             FGSM (true labels), ART FastGradientMethod (predicted labels)",
    about: "One step of length eps along the sign of the cross-entropy's gradient. It is the \
            cheapest attack and the weakest: it assumes that the loss is linear up to eps. A model \
            trained on its examples can learn to bend the loss right there, so that FGSM finds \
            nothing while a second step would: FGSM accuracy is an upper bound, often a loose one. \
            With true labels, such a model can even read the label off the perturbation (label \
            leaking) and score higher on attacked images than on clean ones.",
    norms: &[Norm::Linf, Norm::L2],
    make: |threat| Box::new(Fgsm { threat }),
};

/// FGSM at one threat.
#[derive(Debug)]
struct Fgsm {
    threat: Threat,
}

impl Attack for Fgsm {
    fn steps(&self) -> u32 {
        1
    }

    fn start(&self, rows: Rows) -> Result<State, EngineError> {
        let current = rows.images.shallow_clone();
        Ok(State { rows, current })
    }

    fn step(&self, state: &mut State, model: &dyn Differentiable) -> Result<Tensor, EngineError> {
        let pass = model.pass(&state.current)?;
        let loss = loss::cross_entropies(&pass.logits, &state.rows.labels)?; // [n]
        let gradient = pass.gradient(&loss)?;
        state.current = geometry::steepest_step(self.threat, &state.rows.images, &gradient)?;
        Ok(state.current.shallow_clone())
    }
}
