//! TRADES: accuracy against the stability of the answer.
//!
//! Source: Zhang et al. 2019, Theoretically Principled Trade-off between Robustness and Accuracy.
//! Loss: `CE(f(x), y) + beta KL(f(x) || f(x')) / n`, with gradients through both; x' starts at x with
//! Gaussian noise of deviation 0.001 and climbs `KL(f(x) || f(x'))`, f(x) fixed:
//! `x' <- project(x' + step_size eps d)`.
//!
//! | setting | default | range |
//! |---|---|---|
//! | beta | 6 | 0 .. 1000 |
//! | steps | 10 | 1 .. 1000 |
//! | `step_size` | 0.25 of eps (the reference: 0.007 of 0.031) | above 0 .. 10 |
//! | `batch_norm` | stored | stored (as the reference, which attacks in evaluation mode), batch |
//!
//! In L2 the reference takes steps by SGD and clips to [0, 1] before it projects; here the projection
//! comes first, as everywhere.

use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use super::inner::{self, Climb};
use super::{Ingredients, Losses, Others, Recipe, RecipeSpec, Step};
use crate::error::EngineError;
use crate::loss;
use crate::model::{BatchNorm, Towards};
use crate::settings::{Range, Setting};

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "trades",
    title: "TRADES",
    source: "Zhang et al. 2019, Theoretically Principled Trade-off between Robustness and Accuracy",
    about: "Minimises the cross-entropy of clean images plus beta times the divergence between the \
            answers to clean and attacked images, where the attack maximises that divergence. Beta \
            buys robustness with accuracy. The attack needs no labels.",
    norms: &[Norm::Linf, Norm::L2],
    settings: &[
        Setting {
            name: "beta",
            value: Range::Real(6.0, 0.0, 1000.0),
            about: "weight of the divergence against the clean loss",
        },
        inner::STEPS,
        inner::step_size(0.25),
        inner::STORED,
    ],
    others: Others::None,
    guarded: false,
    make: |ingredients| Ok(Box::new(Trades::new(&ingredients))),
};

/// Deviation of the noise that the attack starts with: at x itself the divergence has no slope.
const START: f64 = 0.001;

#[derive(Debug)]
struct Trades {
    climb: Climb,
    beta: f64,
    norm: BatchNorm,
}

impl Trades {
    fn new(ingredients: &Ingredients) -> Self {
        let (threat, settings) = (ingredients.threat, ingredients.settings);
        let (steps, step_size) = (settings.count("steps"), settings.real("step_size"));
        Self {
            climb: Climb { threat, steps, step_size },
            beta: settings.real("beta"),
            norm: inner::batch_norm(settings),
        }
    }
}

impl Recipe for Trades {
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError> {
        let noise = step.draws.normal(step.images)?.f_mul_scalar(START)?;
        let start = step.images.f_add(&noise)?;
        let logits = step.lesson.logits(step.images, self.norm)?;
        let fixed = logits.f_log_softmax(1, None::<Kind>)?; // [n, k]
        self.climb.run(step.images, start, &|images| {
            step.lesson.slope(images, self.norm, &|logits| loss::divergences(&fixed, logits))
        })
    }

    fn learn(&self, step: &Step, attacked: &Tensor) -> Result<Losses, EngineError> {
        let clean = step.lesson.pass(step.images, Towards::Weights)?;
        let moved = step.lesson.pass(attacked, Towards::Weights)?;
        let natural = loss::cross_entropy(&clean.logits, step.targets)?;
        let answers = clean.logits.f_log_softmax(1, None::<Kind>)?;
        let divergence = loss::divergences(&answers, &moved.logits)?.f_mean(None::<Kind>)?;
        let total = natural.f_add(&divergence.f_mul_scalar(self.beta)?)?;
        let scalars = vec![
            ("clean_loss", natural.f_double_value(&[])?),
            ("divergence", divergence.f_double_value(&[])?),
            ("clean_accuracy", loss::accuracy(&clean.logits, step.labels)?),
            ("adversarial_accuracy", loss::accuracy(&moved.logits, step.labels)?),
        ];
        step.lesson.backward([clean, moved], &total)?;
        Ok(Losses { total: total.f_double_value(&[])?, scalars })
    }
}
