//! The inner problem of adversarial training: steps of fixed length that climb, each projected back.

use resilience_core::threat::Threat;
use tch::Tensor;

use super::draws::in_ball;
use super::{Ingredients, Losses, Recipe, Step, learn_from};
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::BatchNorm;
use crate::settings::{Range, Setting, Settings};

/// Steps of the inner attack.
pub const STEPS: Setting =
    Setting { name: "steps", value: Range::Count(10, 1, 1000), about: "steps of the attack" };

/// Batch norm where the reference attacks in training mode.
pub const BATCH: Setting = Setting {
    name: "batch_norm",
    value: Range::Choice(&["batch", "stored"]),
    about: "statistics while attacking: the batch's, or the running ones",
};

/// Batch norm where the reference attacks in evaluation mode.
pub const STORED: Setting = Setting {
    name: "batch_norm",
    value: Range::Choice(&["stored", "batch"]),
    about: "statistics while attacking: the running ones, or the batch's",
};

/// A step's length.
pub const fn step_size(default: f64) -> Setting {
    Setting {
        name: "step_size",
        value: Range::Real(default, 1e-6, 10.0),
        about: "length of a step, in units of eps",
    }
}

/// What the settings say of batch norm.
pub fn batch_norm(settings: &Settings) -> BatchNorm {
    match settings.choice("batch_norm") {
        "stored" => BatchNorm::Stored,
        _ => BatchNorm::Batch,
    }
}

/// Steps of length `step_size` in units of eps.
#[derive(Clone, Copy, Debug)]
pub struct Climb {
    /// The ball.
    pub threat: Threat,
    /// How many.
    pub steps: u32,
    /// Length of each, in units of eps.
    pub step_size: f64,
}

impl Climb {
    /// Where they lead from `start`, inside the ball around `origins` and [0, 1]; `slope` gives the
    /// gradient of what is climbed.
    pub fn run(
        self,
        origins: &Tensor,
        start: Tensor,
        slope: &dyn Fn(&Tensor) -> Result<Tensor, EngineError>,
    ) -> Result<Tensor, EngineError> {
        let step = self.step_size * self.threat.eps().value();
        let mut current = start;
        for _ in 0..self.steps {
            let gradient = slope(&current)?;
            current = geometry::projected_step(self.threat, origins, &current, &gradient, step)?;
        }
        Ok(current)
    }
}

/// Learns from the cross-entropy of images that have climbed from a uniform start in the ball.
#[derive(Debug)]
pub struct FromUniformStart {
    climb: Climb,
    batch_norm: BatchNorm,
}

impl FromUniformStart {
    /// With so many steps, and the settings `step_size` and `batch_norm`.
    pub fn new(ingredients: &Ingredients, steps: u32) -> Self {
        let (threat, settings) = (ingredients.threat, ingredients.settings);
        Self {
            climb: Climb { threat, steps, step_size: settings.real("step_size") },
            batch_norm: batch_norm(settings),
        }
    }
}

impl Recipe for FromUniformStart {
    fn attacked(&self, step: &Step) -> Result<Tensor, EngineError> {
        let start = in_ball(step.draws, self.climb.threat, step.images)?;
        self.climb.run(step.images, start, &|images| {
            step.lesson.slope(images, self.batch_norm, &|logits| {
                loss::cross_entropies(logits, step.targets)
            })
        })
    }

    fn learn(&self, step: &Step, attacked: &Tensor) -> Result<Losses, EngineError> {
        learn_from(step, attacked)
    }
}
