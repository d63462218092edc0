//! The epoch whose weights are kept.

use resilience_core::format::array::StateDict;
use resilience_core::method::Select;
use resilience_core::record::{EpochRecord, ValidationRecord};

use super::Plan;
use crate::error::EngineError;
use crate::model::Native;

/// The best epoch so far and its weights.
#[derive(Debug)]
pub(super) struct Best {
    /// From 1.
    pub epoch: u32,
    /// Its weights.
    pub weights: StateDict,
}

/// Keeps the weights of the last epoch where it is the best so far: strictly, so that of equals the
/// first stays.
pub(super) fn keep(
    best: &mut Option<Best>,
    epochs: &[EpochRecord],
    plan: &Plan,
    candidate: &Native,
) -> Result<(), EngineError> {
    let Some((last, before)) = epochs.split_last() else { return Ok(()) };
    let Some(figures) = last.validation.as_ref() else { return Ok(()) };
    let accuracy = |figures: &ValidationRecord| {
        if plan.spec().adversarial() { figures.pgd } else { figures.clean }
    };
    let so_far = best.as_ref().and_then(|best| before.get(best.epoch as usize - 1));
    let beaten = so_far.and_then(|epoch| epoch.validation.as_ref()).map(accuracy);
    let better = beaten.is_none_or(|beaten| accuracy(figures) > beaten);
    if plan.method.select == Select::Best && better {
        *best = Some(Best { epoch: last.epoch, weights: candidate.network().state_dict()? });
    }
    Ok(())
}
