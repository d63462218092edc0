//! Standard training: cross-entropy on clean images. The control of every comparison.

use super::{Losses, Recipe, RecipeSpec};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::layer::Mode;
use crate::loss;
use crate::model::Native;

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "standard",
    title: "Standard training",
    source: "empirical risk minimisation",
    about: "Minimises the cross-entropy of clean images. It is the control: accurate, and without \
            any robustness.",
    adversarial: false,
    make: |_| Box::new(Standard),
};

#[derive(Debug)]
struct Standard;

impl Recipe for Standard {
    fn gradients(&self, model: &Native, batch: &Batch) -> Result<Losses, EngineError> {
        let logits = model.forward(&batch.images, Mode::Train)?;
        let loss = loss::cross_entropy(&logits, &batch.labels)?;
        loss.f_backward()?;
        let total = loss.f_double_value(&[])?;
        let accuracy = loss::correct(&logits, &batch.labels)? as f64 / logits.size()[0] as f64;
        Ok(Losses { total, scalars: vec![("clean_loss", total), ("clean_accuracy", accuracy)] })
    }
}
