//! Standard training: cross-entropy on clean images. The control of every comparison.

use super::{Losses, Recipe, RecipeSpec};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::loss;
use crate::model::{Lesson, Towards};

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
    fn gradients(&self, lesson: &Lesson, batch: &Batch) -> Result<Losses, EngineError> {
        let pass = lesson.pass(&batch.images, Towards::Weights)?;
        let loss = loss::cross_entropy(&pass.logits, &batch.labels)?;
        let accuracy = loss::accuracy(&pass.logits, &batch.labels)?;
        lesson.backward(pass, &loss)?;
        let total = loss.f_double_value(&[])?;
        Ok(Losses { total, scalars: vec![("clean_loss", total), ("clean_accuracy", accuracy)] })
    }
}
