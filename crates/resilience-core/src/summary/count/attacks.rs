//! Attacks by themselves: on all images, and as points of a curve.

use super::super::{AttackSummary, Correct, CurvePoint, CurveSummary, Unchanged};
use super::found::{Attacked, Found, MOST_CLASS};
use crate::metric;
use crate::record::{CleanOutcome, Scope};

/// The attacks on every image, and the curves. Only what was carried through has a rate: of the
/// others nobody knows what the images not yet attacked would have given.
pub fn count(found: &Found) -> (Vec<AttackSummary>, Vec<CurveSummary>) {
    let mut attacks = Vec::new();
    let mut curves = Vec::new();
    let whole = found
        .attacks
        .iter()
        .filter(|attacked| attacked.record.finished && attacked.record.scope == Scope::All);
    for attacked in whole {
        let clean = found.first(attacked.record.n);
        if clean.is_empty() {
            continue;
        }
        if attacked.record.curve {
            add_point(&mut curves, attacked, clean);
        } else {
            // A row and a column for each: a list of names may be longer than what is counted.
            let classes = found.record.dataset.classes.len().min(MOST_CLASS as usize + 1);
            attacks.push(attack(attacked, classes, clean));
        }
    }
    (attacks, curves)
}

fn attack(attacked: &Attacked, classes: usize, clean: &[CleanOutcome]) -> AttackSummary {
    let (record, outcomes) = (&attacked.record, &attacked.outcomes[..]);
    let n = clean.len() as u64;
    AttackSummary {
        id: record.id.clone(),
        suite: record.suite.clone(),
        norm: record.norm,
        eps: record.eps,
        eps_text: record.eps_text.clone(),
        labels: record.labels,
        settings: record.settings.clone(),
        adversarial: Correct::of_shares(metric::correct_attacked(outcomes), n),
        robustness: Unchanged::of(metric::unchanged(clean, outcomes), n),
        paired: metric::paired(clean, outcomes),
        moves: metric::moves(classes, clean, outcomes),
        forwards: record.forwards,
        backwards: record.backwards,
        seconds: record.seconds,
    }
}

/// Adds a point to the curve of its attack, norm, labels and images, in the order of eps.
fn add_point(curves: &mut Vec<CurveSummary>, attacked: &Attacked, clean: &[CleanOutcome]) {
    let record = &attacked.record;
    let n = clean.len() as u64;
    let point = CurvePoint {
        eps: record.eps,
        adversarial: Correct::of_shares(metric::correct_attacked(&attacked.outcomes), n),
    };
    let same = |curve: &&mut CurveSummary| {
        curve.attack == record.id
            && curve.norm == record.norm
            && curve.labels == record.labels
            && curve.clean.n == n
    };
    if let Some(curve) = curves.iter_mut().find(same) {
        let place = curve.points.partition_point(|other| other.eps <= point.eps);
        curve.points.insert(place, point);
        return;
    }
    curves.push(CurveSummary {
        attack: record.id.clone(),
        norm: record.norm,
        labels: record.labels,
        clean: Correct::of_shares(metric::correct(clean), n),
        points: vec![point],
    });
}
