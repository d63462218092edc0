//! The paper's recipe: clean images and FGSM examples of the current model, in one loss.
//!
//! Source: Khan et al., AI Resilience; the equal mixture goes back to Goodfellow et al. 2015,
//! section 6. Loss: `CE(f(x), y) + CE(f(x'), y)` with `x' = FGSM(x, y)` at the threat's eps.
//!
//! One forward and one backward pass over the clean images serve both halves: the gradient with
//! respect to the images makes x', the one with respect to the weights is the clean half of the
//! step. (With batch norm this means that the attack sees the batch's statistics.)

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Losses, Others, Recipe, RecipeSpec, Step};
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::{BatchNorm, Lap, Towards};

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "fgsm-joint",
    title: "Joint clean and FGSM training",
    source: "Khan et al., AI Resilience: A Revolutionary Benchmarking Model for AI Safety; \
             Goodfellow et al. 2015, section 6",
    about: "Minimises the cross-entropy of clean images plus that of their FGSM examples, made \
            with true labels. Because a single step is easy to foresee, the network can learn to \
            read the label off the perturbation (label leaking): it may then score higher on FGSM \
            examples than on clean images without being robust to anything else.",
    norms: &[Norm::Linf, Norm::L2],
    settings: &[],
    others: Others::None,
    guarded: false,
    make: |ingredients| Ok(Box::new(FgsmJoint { threat: ingredients.threat })),
};

#[derive(Debug)]
struct FgsmJoint {
    threat: Threat,
}

impl Recipe for FgsmJoint {
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError> {
        let gradient = step.lesson.slope(step.images, BatchNorm::Batch, &|logits| {
            loss::cross_entropies(logits, step.targets)
        })?;
        geometry::steepest_step(self.threat, step.images, &gradient)
    }

    fn learn(&self, step: &Step, attacked: &Tensor) -> Result<Losses, EngineError> {
        let pass = step.lesson.pass(step.images, Towards::Weights)?;
        let clean = Half::of(step, &pass)?;
        step.lesson.backward([pass], &clean.loss)?;
        clean.and(step, attacked)
    }

    fn gradients(&self, step: &Step) -> Result<Losses, EngineError> {
        let pass = step.lesson.pass(step.images, Towards::ImagesToo)?;
        let clean = Half::of(step, &pass)?;
        let gradient = step.lesson.backward_to_images(pass, &clean.loss)?;
        let attacked = geometry::steepest_step(self.threat, step.images, &gradient)?;
        clean.and(step, &attacked)
    }
}

/// One half of the loss.
struct Half {
    loss: Tensor,
    accuracy: f64,
}

impl Half {
    fn of(step: &Step, pass: &Lap) -> Result<Self, EngineError> {
        let loss = loss::cross_entropy(&pass.logits, step.targets)?;
        Ok(Self { loss, accuracy: loss::accuracy(&pass.logits, step.labels)? })
    }

    /// This half, which is clean and taken up, and the other one.
    fn and(self, step: &Step, attacked: &Tensor) -> Result<Losses, EngineError> {
        let pass = step.lesson.pass(attacked, Towards::Weights)?;
        let other = Self::of(step, &pass)?;
        step.lesson.backward([pass], &other.loss)?;
        let (clean, attacked) = (self.loss.f_double_value(&[])?, other.loss.f_double_value(&[])?);
        Ok(Losses {
            total: clean + attacked,
            scalars: vec![
                ("clean_loss", clean),
                ("adversarial_loss", attacked),
                ("clean_accuracy", self.accuracy),
                ("adversarial_accuracy", other.accuracy),
            ],
        })
    }
}
