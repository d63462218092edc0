//! Every outcome of a run as a line of CSV.

use std::path::Path;

use super::{ExportError, broken, found, hidden};
use crate::format::atomic;
use crate::record::{AttackOutcome, AttackRecord, CleanOutcome, Scope};
use crate::store::RunStore;

const HEADER: [&str; 21] = [
    "model",
    "stage",
    "attack",
    "suite",
    "norm",
    "eps",
    "labels",
    "scope",
    "index",
    "label",
    "clean_predicted",
    "predicted",
    "confidence",
    "distance",
    "margin",
    "right",
    "broken",
    "round",
    "step",
    "forwards",
    "backwards",
];

/// Writes one line for every image that an attack of the run was tried on, and a line of names
/// before them; returns how many outcomes there are. They are ordered by model, stage and image;
/// numbers read back as the same numbers; `broken` is 1 where the image was right before.
pub fn csv(store: &RunStore, path: &Path) -> Result<u64, ExportError> {
    let mut lines = 0;
    let written = atomic::write_with(path, |out| {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(HEADER)?;
        for (model, record) in store.models().map_err(hidden)? {
            let clean = store.clean(model).map_err(hidden)?;
            for (id, attack) in store.attacks(model).map_err(hidden)? {
                let outcomes = store.outcomes(id).map_err(hidden)?;
                lines += outcomes.len() as u64;
                for outcome in outcomes {
                    // Every outcome that the store gives is of an image of the run, and so has
                    // a clean one, which stand in order without a gap.
                    let place = outcome.index - clean[0].index;
                    let clean = &clean[place as usize];
                    writer.write_record(line(&record.name, &attack, clean, &outcome))?;
                }
            }
        }
        writer.flush()
    });
    written.map_err(found)?;
    Ok(lines)
}

fn line(
    model: &str,
    attack: &AttackRecord,
    clean: &CleanOutcome,
    outcome: &AttackOutcome,
) -> [String; HEADER.len()] {
    let scope = match attack.scope {
        Scope::All => "all",
        Scope::Correct => "correct",
        Scope::Survivors => "survivors",
        Scope::Closest => "closest",
    };
    [
        model.to_owned(),
        attack.stage.to_string(),
        attack.id.clone(),
        attack.suite.clone().unwrap_or_default(),
        attack.norm.to_string(),
        attack.eps.to_string(),
        attack.labels.name().to_owned(),
        scope.to_owned(),
        outcome.index.to_string(),
        clean.label.to_string(),
        clean.predicted.to_string(),
        outcome.predicted.to_string(),
        outcome.confidence.to_string(),
        outcome.distance.to_string(),
        outcome.margin.to_string(),
        outcome.right.to_string(),
        u8::from(broken(clean, outcome)).to_string(),
        outcome.round.to_string(),
        outcome.step.to_string(),
        outcome.forwards.to_string(),
        outcome.backwards.to_string(),
    ]
}
