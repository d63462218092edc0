//! Defensive distillation: a network learns the softened answers of a teacher.
//!
//! Source: Papernot et al. 2016, Distillation as a Defense to Adversarial Perturbations against Deep
//! Neural Networks; as in Carlini and Wagner 2017 the teacher was trained at the same temperature.
//! Loss: the mean over the batch of `-sum softmax(t(x) / temperature) log softmax(f(x) / temperature)`;
//! answers are given at temperature 1.
//!
//! | setting | default | range |
//! |---|---|---|
//! | temperature | 20 | above 0 .. 10,000 |
//!
//! Of mixed images the teacher sees what the network sees; targets and their smoothing play no part.

use std::rc::Rc;

use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use super::{Losses, Others, Recipe, RecipeSpec, Step};
use crate::error::EngineError;
use crate::loss;
use crate::model::{Differentiable, Towards};
use crate::settings::{Range, Setting};

const NO_NORM: &[Norm] = &[];

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "distillation",
    title: "Defensive distillation",
    source: "Papernot et al. 2016, Distillation as a Defense to Adversarial Perturbations against Deep \
             Neural Networks",
    about: "Minimises the cross-entropy between a teacher's probabilities and the network's, both at a \
            high temperature; the teacher (--with) is a network trained by the recipe standard at the \
            same temperature. At temperature 1 the answers saturate and gradients vanish, which stops \
            attacks that follow the cross-entropy in f32, and no others (Carlini and Wagner 2017): it is \
            here to be seen through.",
    norms: NO_NORM,
    settings: &[Setting {
        name: "temperature",
        value: Range::Real(20.0, 1e-3, 1e4),
        about: "logits of teacher and network are divided by it in the loss",
    }],
    others: Others::Teacher,
    guarded: false,
    make: |ingredients| {
        let temperature = ingredients.settings.real("temperature");
        let mut others = ingredients.others;
        let teacher = others.pop().ok_or(EngineError::RecipeOthers {
            recipe: SPEC.id,
            expected: "one other model, its teacher",
            found: 0,
        })?;
        Ok(Box::new(Distillation { teacher, temperature }))
    },
};

struct Distillation {
    teacher: Rc<dyn Differentiable>,
    temperature: f64,
}

impl Recipe for Distillation {
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError> {
        Ok(step.images.shallow_clone())
    }

    fn learn(&self, step: &Step, images: &Tensor) -> Result<Losses, EngineError> {
        let answers = loss::cooled(&self.teacher.logits(images)?, self.temperature)?;
        let targets = answers.f_softmax(1, None::<Kind>)?; // [n, k]
        let pass = step.lesson.pass(images, Towards::Weights)?;
        let loss = loss::cross_entropy(&loss::cooled(&pass.logits, self.temperature)?, &targets)?;
        let accuracy = loss::accuracy(&pass.logits, step.labels)?;
        step.lesson.backward([pass], &loss)?;
        let total = loss.f_double_value(&[])?;
        Ok(Losses {
            total,
            scalars: vec![("distillation_loss", total), ("clean_accuracy", accuracy)],
        })
    }
}
