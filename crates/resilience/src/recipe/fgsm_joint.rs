//! The paper's recipe: clean images and FGSM examples of the current model, in one loss.
//!
//! Source: Khan et al., AI Resilience; the equal mixture goes back to Goodfellow et al. 2015,
//! section 6. Loss: `CE(f(x), y) + CE(f(x'), y)` with `x' = FGSM(x, y)` at the threat's eps.
//!
//! One forward and one backward pass over the clean images serve both halves: the gradient with
//! respect to the images makes x', the one with respect to the weights is the clean half of the
//! step. (With batch norm this means that the attack sees the batch's statistics.)

use resilience_core::threat::Threat;

use super::{Losses, Recipe, RecipeSpec};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::{Lesson, Towards};

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "fgsm-joint",
    title: "Joint clean and FGSM training",
    source: "Khan et al., AI Resilience: A Revolutionary Benchmarking Model for AI Safety; \
             Goodfellow et al. 2015, section 6",
    about: "Minimises the cross-entropy of clean images plus that of their FGSM examples, made \
            with true labels. Because a single step is easy to foresee, the network can learn to \
            read the label off the perturbation (label leaking): it may then score higher on FGSM \
            examples than on clean images without being robust to anything else.",
    adversarial: true,
    make: |threat| Box::new(FgsmJoint { threat }),
};

#[derive(Debug)]
struct FgsmJoint {
    threat: Threat,
}

impl Recipe for FgsmJoint {
    fn gradients(&self, lesson: &Lesson, batch: &Batch) -> Result<Losses, EngineError> {
        let pass = lesson.pass(&batch.images, Towards::ImagesToo)?;
        let clean = loss::cross_entropy(&pass.logits, &batch.labels)?;
        let clean_accuracy = loss::accuracy(&pass.logits, &batch.labels)?;
        let gradient = lesson.backward_to_images(pass, &clean)?;

        let adversarial = geometry::steepest_step(self.threat, &batch.images, &gradient)?;
        let pass = lesson.pass(&adversarial, Towards::Weights)?;
        let attacked = loss::cross_entropy(&pass.logits, &batch.labels)?;
        let adversarial_accuracy = loss::accuracy(&pass.logits, &batch.labels)?;
        lesson.backward(pass, &attacked)?;

        let (clean, attacked) = (clean.f_double_value(&[])?, attacked.f_double_value(&[])?);
        Ok(Losses {
            total: clean + attacked,
            scalars: vec![
                ("clean_loss", clean),
                ("adversarial_loss", attacked),
                ("clean_accuracy", clean_accuracy),
                ("adversarial_accuracy", adversarial_accuracy),
            ],
        })
    }
}
