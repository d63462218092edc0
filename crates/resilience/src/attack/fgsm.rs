//! Fast gradient sign method.
//!
//! Source: Goodfellow, Shlens and Szegedy 2015, Explaining and Harnessing Adversarial Examples.
//! With true labels it agrees with torchattacks' `FGSM`, with the model's own predictions as
//! labels with ART's `FastGradientMethod` when no labels are given.
//!
//! Update: `x' = clip(x + eps d, 0, 1)`, where d is the direction of unit length in which the
//! cross-entropy grows fastest: its gradient's sign for Linf, the gradient over its length for L2.
//! There is no L1: the one step would change one number.
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. One forward and one backward pass an image. Where the
//! gradient is zero the image stays as it is.

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Attack, AttackSpec, Candidates, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::{Oracle, Passes};
use crate::settings::EOT;

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
    search: Search::WithinBall,
    settings: &[EOT],
    make: |request| {
        Ok(Box::new(Fgsm { threat: request.threat, eot: request.settings.count("eot") }))
    },
};

#[derive(Debug)]
struct Fgsm {
    threat: Threat,
    eot: u32,
}

impl Attack for Fgsm {
    fn rounds(&self) -> u32 {
        1
    }

    fn steps(&self) -> u32 {
        1
    }

    fn cost(&self) -> Passes {
        let passes = u64::from(self.eot);
        Passes { forwards: passes + 1, backwards: passes }
    }

    fn eot(&self) -> u32 {
        self.eot
    }

    fn gives_logits(&self) -> bool {
        false
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        Ok(Box::new(OneStep {
            threat: self.threat,
            images: rows.images.shallow_clone(),
            labels: rows.labels.shallow_clone(),
        }))
    }
}

struct OneStep {
    threat: Threat,
    images: Tensor,
    labels: Tensor,
}

impl State for OneStep {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let ascent = oracle.ascent(&self.images, &|logits, span| {
            loss::cross_entropies(logits, &span.of(&self.labels)?)
        })?;
        let images = geometry::steepest_step(self.threat, &self.images, &ascent.gradient)?;
        Ok(Candidates { images, logits: None })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.images, &mut self.labels]
    }
}
