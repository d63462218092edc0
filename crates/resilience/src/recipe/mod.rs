//! Training recipes, one per file, and the registry of them.

mod fgsm_joint;
mod standard;

use resilience_core::threat::Threat;

use crate::batch::Batch;
use crate::error::EngineError;
use crate::model::Lesson;

/// The recipes that arguments can name. One line each.
pub static RECIPES: &[&RecipeSpec] = &[&standard::SPEC, &fgsm_joint::SPEC];

/// What there is to know about a recipe.
#[derive(Debug)]
pub struct RecipeSpec {
    /// The name in arguments and results.
    pub id: &'static str,
    /// Its usual name.
    pub title: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// What it minimises and what to expect of it, for `explain`: whole sentences.
    pub about: &'static str,
    /// Whether it trains on attacked images, so that a threat means something.
    pub adversarial: bool,
    make: fn(Threat) -> Box<dyn Recipe>,
}

impl RecipeSpec {
    /// The recipe, attacking under `threat` where it attacks.
    #[must_use]
    pub fn plan(&'static self, threat: Threat) -> Box<dyn Recipe> {
        (self.make)(threat)
    }
}

/// What a training step minimises.
pub trait Recipe {
    /// Takes the gradient of this batch's loss with respect to the weights, by the lesson's passes,
    /// and tells the losses. It takes the gradients itself, and not only gives a
    /// loss, because a pass can serve both an attack and the weights.
    fn gradients(&self, lesson: &Lesson, batch: &Batch) -> Result<Losses, EngineError>;
}

/// The figures of one training step.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// The whole loss.
    pub total: f64,
    /// Named means over the batch.
    pub scalars: Vec<(&'static str, f64)>,
}

/// The recipe of that id.
pub fn find(id: &str) -> Result<&'static RecipeSpec, EngineError> {
    crate::registry::find("recipe", id, RECIPES, |spec| spec.id)
}
