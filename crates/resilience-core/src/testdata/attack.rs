//! What attacks say that they did.

use super::{chance, other_class};
use crate::record::{AttackOutcome, AttackRecord, CleanOutcome, Goal, LabelSource, Nearest, Scope};
use crate::threat::{Eps, Norm};

/// What a deterministic model says to an attacked image: far from the boundary, for one pass each
/// way.
pub fn outcome(index: u64, label: u32, predicted: u32) -> AttackOutcome {
    AttackOutcome {
        index,
        predicted,
        confidence: 0.5,
        distance: 0.1,
        margin: if label == predicted { 1.5 } else { -1.5 },
        right: f64::from(u8::from(label == predicted)),
        round: 0,
        step: 1,
        forwards: 1,
        backwards: 1,
    }
}

/// The nearest point of an image, the farther away the higher its index.
pub fn nearest(index: u64) -> Nearest {
    Nearest {
        index,
        distance: 0.001 * (index + 1) as f64,
        predicted: 3,
        margin: -0.25,
        round: 1,
        step: 7,
    }
}

/// An attack that is about to begin: in Linf, with true labels, on what is left.
pub fn claim(id: &str, eps: &str, n: usize) -> AttackRecord {
    AttackRecord {
        stage: 0,
        id: id.to_owned(),
        suite: None,
        norm: Norm::Linf,
        eps: eps.parse::<Eps>().unwrap().value(),
        eps_text: eps.to_owned(),
        labels: LabelSource::True,
        scope: Scope::Survivors,
        goal: Goal::Break,
        source: None,
        settings: serde_json::json!({}),
        curve: false,
        n: n as u64,
        attacked: 0,
        forwards: 0,
        backwards: 0,
        seconds: 0.0,
        finished: false,
    }
}

/// FGSM on all of those images, which leaves about 40 % of predictions as they were.
pub fn attack(clean: &[CleanOutcome]) -> (AttackRecord, Vec<AttackOutcome>) {
    fgsm(clean, LabelSource::True, "0.1", 0.4)
}

/// Likewise, which leaves about the given share as they were.
pub fn attack_with(
    clean: &[CleanOutcome],
    labels: LabelSource,
    eps: f64,
    unchanged: f64,
) -> (AttackRecord, Vec<AttackOutcome>) {
    fgsm(clean, labels, &eps.to_string(), unchanged)
}

/// FGSM with a radius as it is written; what it moves, it moves away from the prediction.
pub fn fgsm(
    clean: &[CleanOutcome],
    labels: LabelSource,
    eps: &str,
    unchanged: f64,
) -> (AttackRecord, Vec<AttackOutcome>) {
    let n = clean.len() as u64;
    let forwards = if labels == LabelSource::True { 2 } else { 3 };
    let mut record = claim("fgsm", eps, clean.len());
    record.labels = labels;
    record.scope = Scope::All;
    record.attacked = n;
    record.forwards = forwards * n;
    record.backwards = n;
    record.seconds = n as f64 / 900.0;
    record.finished = true;
    let outcomes = clean.iter().map(|c| {
        let stays = chance(c.index + 5_000_000) < unchanged;
        let predicted = if stays { c.predicted } else { other_class(c.predicted, c.index + 1) };
        AttackOutcome {
            confidence: 0.3 + 0.7 * chance(c.index + 6_000_000),
            distance: record.eps,
            forwards,
            ..outcome(c.index, c.label, predicted)
        }
    });
    let outcomes = outcomes.collect();
    (record, outcomes)
}

/// An attack of many steps on the images that are still right: it leaves about the given share of
/// all images that were right when clean, the same ones whatever attack it is.
pub fn search(
    clean: &[CleanOutcome],
    left: &mut [bool],
    id: &str,
    eps: &str,
    keeps: f64,
) -> (AttackRecord, Vec<AttackOutcome>) {
    let mut record = claim(id, eps, clean.len());
    let (steps, rounds) = if id == "apgd-t" { (100, 9) } else { (100, 1) };
    record.settings = serde_json::json!({"steps": steps, "restarts": 1, "eot": 1, "rho": 0.75});
    if id == "apgd-t" {
        record.settings["classes"] = 9.into();
    }
    let mut outcomes = Vec::new();
    for (c, left) in clean.iter().zip(left.iter_mut()).filter(|(_, left)| **left) {
        let breaks = chance(c.index + 11_000_000) >= keeps;
        *left = !breaks;
        let far = chance(c.index + 12_000_000).powi(4);
        let (round, step) = if breaks {
            ((far * f64::from(rounds)) as u32, 1 + (far * 97.0) as u32)
        } else {
            (rounds - 1, steps)
        };
        let spent = u64::from(round * steps + step);
        let predicted = if breaks { other_class(c.label, c.index + 2) } else { c.label };
        outcomes.push(AttackOutcome {
            confidence: 0.5 + 0.5 * chance(c.index + 13_000_000),
            distance: record.eps,
            // One image in a hundred is broken by next to nothing.
            margin: match (breaks, c.index % 100) {
                (true, 7) => -4e-5,
                (true, _) => -2.0 * chance(c.index),
                (false, _) => 0.3,
            },
            round,
            step,
            forwards: spent + 1,
            backwards: spent,
            ..outcome(c.index, c.label, predicted)
        });
    }
    record.attacked = outcomes.len() as u64;
    record.forwards = outcomes.iter().map(|o| o.forwards).sum();
    record.backwards = outcomes.iter().map(|o| o.backwards).sum();
    record.seconds = record.forwards as f64 / 300.0;
    record.finished = true;
    (record, outcomes)
}
