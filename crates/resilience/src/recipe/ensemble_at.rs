//! Ensemble adversarial training: examples of other, fixed models beside the network's own.
//!
//! Source: Tramèr et al. 2018, Ensemble Adversarial Training: Attacks and Defenses. Loss:
//! `(CE(f(x), y) + CE(f(x'), y)) / 2` with `x' = FGSM(x, y)` at the threat's eps of one of the sources,
//! which take turns from step to step: the network itself, then each of the others.

use std::rc::Rc;

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Losses, Others, Recipe, RecipeSpec, Step};
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::{BatchNorm, Differentiable, Graph, Towards};

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "ensemble-at",
    title: "Ensemble adversarial training",
    source: "Tramèr et al. 2018, Ensemble Adversarial Training: Attacks and Defenses",
    about: "Minimises the mean of the cross-entropy of clean images and that of FGSM examples, which \
            are made in turn by the network itself and by other models that stay as they are (--with). \
            Those examples do not depend on the network, so that it cannot learn to make them weak. \
            It defends against attacks that were transferred from other models; attacks on the \
            network itself still break it.",
    norms: &[Norm::Linf, Norm::L2],
    settings: &[],
    others: Others::Sources,
    guarded: false,
    make: |ingredients| {
        let (threat, others) = (ingredients.threat, ingredients.others);
        Ok(Box::new(EnsembleAt { threat, others }))
    },
};

struct EnsembleAt {
    threat: Threat,
    others: Vec<Rc<dyn Differentiable>>,
}

impl Recipe for EnsembleAt {
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError> {
        let objective = |logits: &Tensor| loss::cross_entropies(logits, step.targets);
        let turn = step.number % (self.others.len() as u64 + 1);
        let gradient = if turn == 0 {
            step.lesson.slope(step.images, BatchNorm::Batch, &objective)?
        } else {
            let pass = self.others[turn as usize - 1].pass(step.images)?;
            pass.gradient(&objective(&pass.logits)?, Graph::Free)?
        };
        geometry::steepest_step(self.threat, step.images, &gradient)
    }

    fn learn(&self, step: &Step, attacked: &Tensor) -> Result<Losses, EngineError> {
        let mut scalars = Vec::new();
        let mut total = 0.0;
        for (images, names) in [
            (step.images, ["clean_loss", "clean_accuracy"]),
            (attacked, ["adversarial_loss", "adversarial_accuracy"]),
        ] {
            let pass = step.lesson.pass(images, Towards::Weights)?;
            let loss = loss::cross_entropy(&pass.logits, step.targets)?;
            let accuracy = loss::accuracy(&pass.logits, step.labels)?;
            step.lesson.backward([pass], &loss.f_mul_scalar(0.5)?)?;
            let value = loss.f_double_value(&[])?;
            total += 0.5 * value;
            scalars.extend([(names[0], value), (names[1], accuracy)]);
        }
        Ok(Losses { total, scalars })
    }
}
