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
use crate::layer::Mode;
use crate::loss;
use crate::model::Native;

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
    fn gradients(&self, model: &Native, batch: &Batch) -> Result<Losses, EngineError> {
        let images = batch.images.f_detach()?.f_set_requires_grad(true)?;
        let logits = model.forward(&images, Mode::Train)?;
        let clean = loss::cross_entropy(&logits, &batch.labels)?;
        clean.f_backward()?;

        let adversarial = geometry::steepest_step(self.threat, &batch.images, &images.f_grad()?)?;
        let adversarial_logits = model.forward(&adversarial, Mode::Train)?;
        let attacked = loss::cross_entropy(&adversarial_logits, &batch.labels)?;
        attacked.f_backward()?;

        let n = batch.labels.size()[0] as f64;
        let (clean, attacked) = (clean.f_double_value(&[])?, attacked.f_double_value(&[])?);
        Ok(Losses {
            total: clean + attacked,
            scalars: vec![
                ("clean_loss", clean),
                ("adversarial_loss", attacked),
                ("clean_accuracy", loss::correct(&logits, &batch.labels)? as f64 / n),
                (
                    "adversarial_accuracy",
                    loss::correct(&adversarial_logits, &batch.labels)? as f64 / n,
                ),
            ],
        })
    }
}
