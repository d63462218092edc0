//! Standard training: cross-entropy on clean images. The control of every comparison.
//!
//! Loss: `CE(f(x) / temperature, y)`. A temperature other than 1 is for the teacher of
//! `distillation`.

use tch::Tensor;

use super::{Ingredients, Losses, Others, Recipe, RecipeSpec, Step};
use crate::error::EngineError;
use crate::loss;
use crate::model::Towards;
use crate::settings::{Range, Setting};

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "standard",
    title: "Standard training",
    source: "empirical risk minimisation",
    about: "Minimises the cross-entropy of clean images. It is the control: accurate, and without \
            any robustness.",
    norms: &[],
    settings: &[TEMPERATURE],
    others: Others::None,
    guarded: false,
    make: |ingredients| Ok(Box::new(Standard::new(&ingredients))),
};

/// What logits are divided by.
const TEMPERATURE: Setting = Setting {
    name: "temperature",
    value: Range::Real(1.0, 1e-3, 1e4),
    about: "logits are divided by it in the loss; 1, but for the teacher of a distillation",
};

#[derive(Debug)]
struct Standard {
    temperature: f64,
}

impl Standard {
    fn new(ingredients: &Ingredients) -> Self {
        Self { temperature: ingredients.settings.real("temperature") }
    }
}

impl Recipe for Standard {
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError> {
        Ok(step.images.shallow_clone())
    }

    fn learn(&self, step: &Step, images: &Tensor) -> Result<Losses, EngineError> {
        let pass = step.lesson.pass(images, Towards::Weights)?;
        let loss =
            loss::cross_entropy(&loss::cooled(&pass.logits, self.temperature)?, step.targets)?;
        let accuracy = loss::accuracy(&pass.logits, step.labels)?;
        step.lesson.backward([pass], &loss)?;
        let total = loss.f_double_value(&[])?;
        Ok(Losses { total, scalars: vec![("clean_loss", total), ("clean_accuracy", accuracy)] })
    }
}
