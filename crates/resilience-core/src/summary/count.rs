//! From single outcomes to figures.

mod attacks;
mod distances;
mod evaluations;
mod found;
mod pairs;
mod place;
#[cfg(test)]
mod tests;

use self::evaluations::Evaluated;
use self::found::Found;
pub use self::pairs::Judged;
use super::{Correct, DatasetSummary, ModelSummary, SCHEMA, Summary, SummaryError, ThreatSummary};
use crate::leaderboard;
use crate::metric;
use crate::plan::{Plan, Shard};
use crate::record::ModelRecord;
use crate::store::RunStore;

/// Counts everything that a run recorded.
///
/// Fails where the store cannot be read, holds no model yet, or lacks outcomes.
pub fn from_store(store: &RunStore) -> Result<Summary, SummaryError> {
    judged(store).map(|(summary, _)| summary)
}

/// The same, with the verdict on every image, by model in the order of the summary.
pub fn judged(store: &RunStore) -> Result<(Summary, Vec<Judged>), SummaryError> {
    let mut run = store.provenance()?;
    let plan = store.plan();
    run.notices.extend(shard_notice(plan));
    let mut models = Vec::new();
    let mut judged = Vec::new();
    let claims = leaderboard::published()?;
    for (id, record) in store.models()? {
        let found = Found::read(store, plan, id, record)?;
        let mut evaluated = evaluations::count(store, plan, &found)?;
        for Evaluated { summary, .. } in &mut evaluated {
            summary.place = place::among(&claims, plan, &found.record, summary);
        }
        judged.push(Judged::of(&found, &evaluated));
        let audit = store.audit(id)?;
        models.push(ModelSummary { audit, ..model(plan, found, evaluated) });
    }
    if models.is_empty() {
        return Err(SummaryError::Empty { path: store.path().to_owned() });
    }
    let finished = store.finished()?;
    let pairs = pairs::count(&judged);
    let tool = run.tool.clone();
    Ok((Summary { schema: SCHEMA, tool, run, finished, models, pairs }, judged))
}

/// A part of a run must not be taken for all of it.
fn shard_notice(plan: &Plan) -> Option<String> {
    let images = plan.shard.images(plan.dataset.n, plan.block);
    (plan.shard != Shard::WHOLE).then(|| {
        format!(
            "This is shard {} of a run: its figures are over images {} to {} of {}, and are not \
             those of the run. Join all of its shards with resilience merge.",
            plan.shard,
            images.start,
            images.end.saturating_sub(1),
            plan.dataset.n
        )
    })
}

fn model(plan: &Plan, found: Found, evaluated: Vec<Evaluated>) -> ModelSummary {
    let (attacks, curves) = attacks::count(&found);
    let distances = distances::count(&found);
    let evaluations: Vec<_> = evaluated.into_iter().map(|evaluated| evaluated.summary).collect();
    let headline = plan.headline.as_ref().and_then(|headline| headline.threat().ok());
    let headline = headline.and_then(|threat| {
        evaluations.iter().find(|evaluation| {
            let here = (evaluation.norm, evaluation.eps.to_bits());
            evaluation.finished && here == (threat.norm(), threat.eps().value().to_bits())
        })
    });
    let ModelRecord { dataset, .. } = found.record;
    ModelSummary {
        name: found.record.name,
        architecture: found.record.architecture,
        weights_sha256: found.record.weights_sha256,
        source: found.record.source,
        parameters: found.record.parameters,
        mean: found.record.mean,
        std: found.record.std,
        input_levels: found.record.input_levels,
        layers: found.record.layers,
        training: found.record.training,
        ensemble: found.record.ensemble,
        dataset: DatasetSummary {
            name: dataset.name,
            split: dataset.split,
            n: dataset.n,
            sha256: dataset.sha256,
            classes: dataset.classes,
        },
        passes: found.record.passes,
        clean: Correct::of_shares(metric::correct(&found.clean), found.clean.len() as u64),
        robust: headline.map(|evaluation| evaluation.robust),
        robust_threat: headline.map(|evaluation| ThreatSummary {
            norm: evaluation.norm,
            eps: evaluation.eps,
            eps_text: evaluation.eps_text.clone(),
        }),
        evaluations,
        attacks,
        curves,
        distances,
        audit: None,
    }
}
