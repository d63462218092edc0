//! Predictions without an attack.

use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::event::{Event, Unit};
use resilience_core::plan::{ModelPlan, Plan};
use resilience_core::record::CleanOutcome;

use super::check_cancelled;
use super::verdict::Judge;
use crate::batch::Batch;
use crate::error::EngineError;
use crate::model::Model;
use crate::rng::Key;

/// What the reference says to every image of the plan's shard.
pub fn clean(
    context: &mut Context,
    model: &Model,
    images: &Images,
    plan: &Plan,
    model_plan: &ModelPlan,
) -> Result<Vec<CleanOutcome>, EngineError> {
    let range = plan.shard.images(plan.dataset.n, plan.block);
    let (start, end) = (range.start, range.end);
    let mut outcomes = Vec::with_capacity((end - start) as usize);
    let task = format!("{}: clean", model.name);
    context.tell(Event::Started { task, total: Some(end - start), unit: Unit::Images });
    // Not by chunks alone: a noisy model's randomness is keyed by where a call begins.
    for first in (start..end).step_by(plan.block as usize) {
        check_cancelled(context)?;
        let indices: Vec<u64> = (first..end.min(first + plan.block)).collect();
        let rows: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
        let batch = Batch::from_rows(images, &rows)?;
        let noise = (model_plan.passes > 1).then(|| (Key::new(plan.seed, "clean", 0), first));
        let judge = Judge::new(model, plan.chunk, model_plan.passes, noise);
        let truth: Vec<u32> = rows.iter().map(|&row| images.labels()[row]).collect();
        let verdicts = judge.judge(&batch.images, &batch.labels, &truth, &indices)?;
        for ((index, label), verdict) in indices.into_iter().zip(truth).zip(verdicts) {
            let (predicted, confidence) = (verdict.predicted, verdict.confidence);
            let right = verdict.right;
            outcomes.push(CleanOutcome { index, label, predicted, confidence, right });
        }
        let done = outcomes.len() as u64;
        context.tell(Event::Advanced { done, detail: String::new() });
    }
    context.tell(Event::Finished);
    Ok(outcomes)
}
