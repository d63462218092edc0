//! Adversarial training with projected gradient descent.
//!
//! Source: Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks; the
//! settings are those of Rice et al. 2020 (`robust_overfitting`). Loss: `CE(f(x'), y)`, where x' is
//! uniform in the ball around x, then climbs: `x' <- project(x' + step_size eps d)` with d the
//! direction in which `CE(f(x'), y)` grows fastest.
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 10 | 1 .. 1000 |
//! | `step_size` | 0.25 of eps | above 0 .. 10 |
//! | `batch_norm` | batch | batch (as the reference, which attacks in training mode), stored |

use resilience_core::threat::Norm;
use tch::Tensor;

use super::draws::in_ball;
use super::inner::{self, Climb};
use super::{Ingredients, Losses, Others, Recipe, RecipeSpec, Step, learn_from};
use crate::error::EngineError;
use crate::loss;
use crate::model::BatchNorm;

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "pgd-at",
    title: "PGD adversarial training",
    source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks; \
             constants of Rice et al. 2020, Overfitting in adversarially robust deep learning",
    about: "Minimises the cross-entropy of images that PGD attacks anew in every step. The defence \
            that has stood longest, at the price of as many passes as the attack has steps. Late in \
            a long training its robustness on new images falls again (robust overfitting), which is \
            why the best epoch on held-out images is kept.",
    norms: &[Norm::Linf, Norm::L2],
    settings: &[inner::STEPS, inner::step_size(0.25), inner::BATCH],
    others: Others::None,
    guarded: false,
    make: |ingredients| Ok(Box::new(PgdAt::new(&ingredients))),
};

#[derive(Debug)]
struct PgdAt {
    climb: Climb,
    norm: BatchNorm,
}

impl PgdAt {
    fn new(ingredients: &Ingredients) -> Self {
        let (threat, settings) = (ingredients.threat, ingredients.settings);
        let (steps, step_size) = (settings.count("steps"), settings.real("step_size"));
        Self { climb: Climb { threat, steps, step_size }, norm: inner::batch_norm(settings) }
    }
}

impl Recipe for PgdAt {
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError> {
        let start = in_ball(step.draws, self.climb.threat, step.images)?;
        self.climb.run(step.images, start, &|images| {
            step.lesson
                .slope(images, self.norm, &|logits| loss::cross_entropies(logits, step.targets))
        })
    }

    fn learn(&self, step: &Step, attacked: &Tensor) -> Result<Losses, EngineError> {
        learn_from(step, attacked)
    }
}
