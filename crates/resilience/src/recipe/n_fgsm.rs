//! N-FGSM: one step from strong noise, without projection.
//!
//! Source: de Jorge et al. 2022, Make Some Noise: Reliable and Efficient Single-Step Adversarial
//! Training. Loss: `CE(f(x'), y)` with `x' = clamp(x0 + step_size eps d)`, where x0 is uniform in the
//! ball of radius `noise eps` around x, clipped to [0, 1], and d the direction in which `CE(f(x0), y)`
//! grows fastest. x' may lie outside the ball of radius eps: that is the point.
//!
//! | setting | default | range |
//! |---|---|---|
//! | noise | 2 of eps | above 0 .. 10 |
//! | `step_size` | 1 of eps | above 0 .. 10 |
//! | `batch_norm` | batch | batch, stored |

use resilience_core::threat::{Eps, Norm, Threat};
use tch::Tensor;

use super::draws::in_ball;
use super::{Ingredients, Losses, Others, Recipe, RecipeSpec, Step, inner, learn_from};
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::BatchNorm;
use crate::settings::{Range, Setting};

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "n-fgsm",
    title: "N-FGSM",
    source: "de Jorge et al. 2022, Make Some Noise: Reliable and Efficient Single-Step Adversarial \
             Training",
    about: "Minimises the cross-entropy of images that are moved by noise of twice eps and one step \
            of eps, without a projection back onto the ball. As cheap as fast-at, and it avoids \
            catastrophic overfitting at the radii where that falls into it.",
    norms: &[Norm::Linf, Norm::L2],
    settings: &[
        Setting {
            name: "noise",
            value: Range::Real(2.0, 1e-6, 10.0),
            about: "radius of the noise, in units of eps",
        },
        inner::step_size(1.0),
        inner::BATCH,
    ],
    others: Others::None,
    guarded: false,
    make: |ingredients| Ok(Box::new(NFgsm::new(&ingredients)?)),
};

#[derive(Debug)]
struct NFgsm {
    /// Where the noise lies.
    around: Threat,
    /// How far the step goes.
    reach: Threat,
    norm: BatchNorm,
}

impl NFgsm {
    fn new(ingredients: &Ingredients) -> Result<Self, EngineError> {
        let (threat, settings) = (ingredients.threat, ingredients.settings);
        let times = |name| {
            let eps = Eps::new(threat.eps().value() * settings.real(name));
            eps.and_then(|eps| Threat::new(threat.norm(), eps)).map_err(|error| {
                EngineError::Setting {
                    what: format!("recipe {}", SPEC.id),
                    setting: name,
                    expected: "a radius that is possible".to_owned(),
                    found: error.to_string(),
                }
            })
        };
        Ok(Self {
            around: times("noise")?,
            reach: times("step_size")?,
            norm: inner::batch_norm(settings),
        })
    }
}

impl Recipe for NFgsm {
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError> {
        let noisy = in_ball(step.draws, self.around, step.images)?;
        let gradient = step
            .lesson
            .slope(&noisy, self.norm, &|logits| loss::cross_entropies(logits, step.targets))?;
        geometry::steepest_step(self.reach, &noisy, &gradient)
    }

    fn learn(&self, step: &Step, attacked: &Tensor) -> Result<Losses, EngineError> {
        learn_from(step, attacked)
    }
}
