//! How a network in training does on images that it does not learn from.

use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::event::{Event, Unit};
use resilience_core::record::ValidationRecord;
use resilience_core::threat::Threat;
use resilience_core::view::View;
use tch::Tensor;

use super::Plan;
use crate::batch::Batch;
use crate::error::EngineError;
use crate::evaluate::check_cancelled;
use crate::geometry;
use crate::loss;
use crate::model::{Differentiable, Graph, Native};
use crate::recipe::{Climb, Draws, Keyed, in_ball};
use crate::threads::Threads;

/// Steps and their length in units of eps: PGD-10 with a quarter of eps, which is what recipes train
/// with.
const STEPS: u32 = 10;
const STEP_SIZE: f64 = 0.25;

/// Images at once.
const CHUNK: usize = 128;

/// Accuracy on the held-out images: clean, under one step of the whole radius (FGSM), and under PGD from
/// a random start, the same in every epoch. An image counts as right under PGD where it is right without
/// an attack too.
pub(super) fn figures(
    context: &mut Context,
    model: &Native,
    images: &Images,
    plan: &Plan,
) -> Result<ValidationRecord, EngineError> {
    let form = match model.form(View::Compiled)? {
        Some(form) => Some(form),
        None => model.form(View::Folded)?,
    };
    let model: &dyn Differentiable = form.as_deref().unwrap_or(model);
    let _threads = model.computes_by_itself().then(Threads::one);
    let rows: Vec<usize> = (images.len() - plan.held_out(images.len())..images.len()).collect();
    let n = rows.len() as u64;
    context.tell(Event::Started {
        task: "held-out images: PGD".to_owned(),
        total: Some(n),
        unit: Unit::Images,
    });
    let mut right = [0_u64; 3];
    let mut done = 0;
    for rows in rows.chunks(CHUNK) {
        check_cancelled(context)?;
        let batch = Batch::from_rows(images, rows)?;
        let draws = Keyed::new(plan.seed, 0, rows.iter().map(|&row| row as u64).collect());
        for (sum, more) in
            right.iter_mut().zip(of_batch(model, &batch, plan.method.threat, &draws)?)
        {
            *sum += more;
        }
        done += rows.len() as u64;
        context.tell(Event::Advanced { done, detail: String::new() });
    }
    context.tell(Event::Finished);
    let [clean, fgsm, pgd] = right.map(|right| right as f64 / n as f64);
    Ok(ValidationRecord { n, clean, fgsm, pgd })
}

/// How many are right: clean, under FGSM, under PGD.
fn of_batch(
    model: &dyn Differentiable,
    batch: &Batch,
    threat: Threat,
    draws: &dyn Draws,
) -> Result<[u64; 3], EngineError> {
    let slope = |images: &Tensor| {
        let pass = model.pass(images)?;
        pass.gradient(&loss::cross_entropies(&pass.logits, &batch.labels)?, Graph::Free)
    };
    let clean = right(model, &batch.images, &batch.labels)?;
    let gradient = slope(&batch.images)?;
    let fgsm = geometry::steepest_step(threat, &batch.images, &gradient)?;
    let start = in_ball(draws, threat, &batch.images)?;
    let climb = Climb { threat, steps: STEPS, step_size: STEP_SIZE };
    let pgd = climb.run(&batch.images, start, &slope)?;
    let pgd = right(model, &pgd, &batch.labels)?.f_logical_and(&clean)?;
    Ok([count(&clean)?, count(&right(model, &fgsm, &batch.labels)?)?, count(&pgd)?])
}

/// Whether each is classified as its label says: `[n]`.
fn right(
    model: &dyn Differentiable,
    images: &Tensor,
    labels: &Tensor,
) -> Result<Tensor, EngineError> {
    Ok(model.logits(images)?.f_argmax(1, false)?.f_eq_tensor(labels)?)
}

fn count(hits: &Tensor) -> Result<u64, EngineError> {
    Ok(hits.f_sum(tch::Kind::Int64)?.f_int64_value(&[])? as u64)
}
