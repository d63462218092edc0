//! Training recipes, one per file, and the registry of them.

mod distillation;
mod draws;
mod ensemble_at;
mod fast_at;
mod fgsm_joint;
mod inner;
mod n_fgsm;
mod pgd_at;
mod standard;
mod trades;

use std::rc::Rc;

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

pub(crate) use draws::in_ball;
pub use draws::{Draws, Keyed};
pub(crate) use inner::Climb;

use crate::error::EngineError;
use crate::loss;
use crate::model::{Differentiable, Lesson};
use crate::settings::{Setting, Settings};

/// The recipes that arguments can name. One line each.
pub static RECIPES: &[&RecipeSpec] = &[
    &standard::SPEC,
    &fgsm_joint::SPEC,
    &pgd_at::SPEC,
    &trades::SPEC,
    &fast_at::SPEC,
    &n_fgsm::SPEC,
    &ensemble_at::SPEC,
    &distillation::SPEC,
];

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
    /// The norms in which it can attack; none where it trains on clean images.
    pub norms: &'static [Norm],
    /// Its settings, in the order in which they are explained.
    pub settings: &'static [Setting],
    /// The other models that it learns from.
    pub others: Others,
    /// Whether training stops where catastrophic overfitting is found, unless it is told otherwise.
    pub guarded: bool,
    make: fn(Ingredients) -> Result<Box<dyn Recipe>, EngineError>,
}

/// How many other models a recipe learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// None.
    None,
    /// One, which teaches.
    Teacher,
    /// One or more, whose adversarial examples are learnt from.
    Sources,
}

/// What a recipe is made of.
pub struct Ingredients<'a> {
    /// What its attack may do.
    pub threat: Threat,
    /// All its settings.
    pub settings: &'a Settings,
    /// The other models that it learns from, as many as its [`Others`] says.
    pub others: Vec<Rc<dyn Differentiable>>,
}

impl RecipeSpec {
    /// Whether it trains on attacked images, so that a threat means something.
    #[must_use]
    pub const fn adversarial(&self) -> bool {
        !self.norms.is_empty()
    }

    /// All its settings: the defaults, with the given ones, name and text, in their place.
    pub fn resolve(&self, given: &[(String, String)]) -> Result<Settings, EngineError> {
        Settings::resolve(&format!("recipe {}", self.id), self.settings, given)
    }

    /// Whether it can attack in this norm, and learns from as many other models.
    pub fn check(&self, norm: Norm, others: usize) -> Result<(), EngineError> {
        if self.adversarial() && !self.norms.contains(&norm) {
            return Err(EngineError::RecipeNorm {
                recipe: self.id,
                norm: norm.to_string(),
                known: self.norms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            });
        }
        let (fits, expected) = match self.others {
            Others::None => (others == 0, "no other model"),
            Others::Teacher => (others == 1, "one other model, its teacher"),
            Others::Sources => {
                (others > 0, "one other model or more, whose examples it learns from")
            }
        };
        if fits {
            return Ok(());
        }
        Err(EngineError::RecipeOthers { recipe: self.id, expected, found: others })
    }

    /// The recipe, checked.
    pub fn plan(&'static self, ingredients: Ingredients) -> Result<Box<dyn Recipe>, EngineError> {
        self.check(ingredients.threat.norm(), ingredients.others.len())?;
        (self.make)(ingredients)
    }
}

/// A batch as a recipe sees it.
pub struct Step<'a> {
    /// The network whose weights learn.
    pub lesson: &'a Lesson<'a>,
    /// `[n,c,h,w]`, f32 (f64 in golden cases) in [0, 1].
    pub images: &'a Tensor,
    /// `[n]`, i64: the class that an accuracy is counted by.
    pub labels: &'a Tensor,
    /// What the loss pulls towards: `[n]` classes, i64, or `[n,k]` shares of each class.
    pub targets: &'a Tensor,
    /// Where random numbers come from.
    pub draws: &'a dyn Draws,
    /// The step's number in the whole training, from 0.
    pub number: u64,
}

/// What a training step minimises.
pub trait Recipe {
    /// The images that the weights are to learn from, made from the step's as the weights are now:
    /// attacked, or as they are.
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError>;

    /// Takes up the gradient of the step's loss with respect to the weights, by the lesson's passes,
    /// where `attacked` are the images that [`Recipe::attacked`] has made; and tells the losses.
    fn learn(&self, step: &Step, attacked: &Tensor) -> Result<Losses, EngineError>;

    /// Both, one after the other. A recipe whose attack shares a pass with its loss has its own.
    fn gradients(&self, step: &Step) -> Result<Losses, EngineError> {
        self.learn(step, &self.attacked(step)?)
    }
}

/// The figures of one training step.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// The whole loss.
    pub total: f64,
    /// Named means over the batch.
    pub scalars: Vec<(&'static str, f64)>,
}

/// Learns from the cross-entropy of these images alone: what most recipes do with what they attacked.
fn learn_from(step: &Step, images: &Tensor) -> Result<Losses, EngineError> {
    let pass = step.lesson.pass(images, crate::model::Towards::Weights)?;
    let loss = loss::cross_entropy(&pass.logits, step.targets)?;
    let accuracy = loss::accuracy(&pass.logits, step.labels)?;
    step.lesson.backward([pass], &loss)?;
    let total = loss.f_double_value(&[])?;
    Ok(Losses {
        total,
        scalars: vec![("adversarial_loss", total), ("adversarial_accuracy", accuracy)],
    })
}

/// The recipe of that id.
pub fn find(id: &str) -> Result<&'static RecipeSpec, EngineError> {
    crate::registry::find("recipe", id, RECIPES, |spec| spec.id)
}
