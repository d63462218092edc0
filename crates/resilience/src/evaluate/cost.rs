//! What an attack costs, in passes and in predicted seconds.

use resilience_core::plan::{ModelPlan, Stage};
use resilience_core::record::Scope;
use resilience_core::view::View;

use super::verdict::last_cost;
use crate::attack::Attack;
use crate::model::Passes;

/// What a round costs an image that it does not break.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Round {
    /// All of its passes, the verdict's included: what is recorded.
    pub passes: Passes,
    /// How long they are predicted to take.
    pub seconds: f64,
}

/// Whether a stage attacks the reference itself.
pub(super) fn is_exact(stage: &Stage, model: &ModelPlan) -> bool {
    stage.scope == Scope::Closest || model.view == View::Reference
}

impl Round {
    /// A round of a stage's attack on a model. Claims that the reference has to confirm before the
    /// end of a round are too few to be predicted.
    pub fn of(attack: &dyn Attack, exact: bool, model: &ModelPlan) -> Self {
        let cost = attack.cost();
        // At its end the reference is asked once more, unless it has been asked all along.
        let asked = !attack.gives_logits() || exact;
        let verdict = if asked && model.passes == 1 { 0 } else { last_cost(model.passes) };
        let looks = if attack.gives_logits() { 0 } else { u64::from(attack.steps()) };
        let (forward, backward) = if exact {
            (model.reference_forward_seconds, model.reference_backward_seconds)
        } else {
            (model.forward_seconds, model.backward_seconds)
        };
        let seconds = (cost.forwards.saturating_sub(looks)) as f64 * forward
            + cost.backwards as f64 * backward
            + (looks + verdict) as f64 * model.reference_forward_seconds;
        Self { passes: Passes { forwards: cost.forwards + verdict, ..cost }, seconds }
    }
}
