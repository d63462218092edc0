//! Accuracy against what the attacks were allowed to spend.

use serde::{Deserialize, Serialize};

/// As many changes are kept: enough for a line on a page.
const MOST: usize = 40;

/// The accuracy that is left when each image may have cost at most so many passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostPoint {
    /// Forward and backward passes of one image, together, over all attacks in order.
    pub passes: u64,
    /// Images that are still right; rounded where the model is noisy.
    pub correct: u64,
    /// Their share.
    pub rate: f64,
}

/// The curve over `n` images of which `start` are right before any attack. `losses` says what was
/// lost at which cost, in any order; `end` is the most that was spent on one image.
///
/// Its points are where it changes, at most forty of them, evenly on a logarithmic scale, between
/// one at no cost and one at the end.
#[must_use]
pub fn cost_curve(n: u64, start: f64, losses: &[(u64, f64)], end: u64) -> Vec<CostPoint> {
    let point = |passes: u64, left: f64| CostPoint {
        passes,
        correct: left.round().max(0.0) as u64,
        rate: left.max(0.0) / n as f64,
    };
    let mut losses = losses.to_vec();
    losses.sort_unstable_by_key(|(passes, _)| *passes);
    let mut left = start;
    let mut changes: Vec<CostPoint> = Vec::new();
    for (passes, loss) in losses {
        left -= loss;
        match changes.last_mut() {
            Some(last) if last.passes == passes => *last = point(passes, left),
            _ => changes.push(point(passes, left)),
        }
    }
    let mut curve = vec![point(0, start)];
    curve.extend(thinned(&changes));
    if curve.last().is_some_and(|last| last.passes < end) {
        curve.push(point(end, left));
    }
    curve
}

/// The last change in each of so many equal parts of the logarithmic scale.
fn thinned(changes: &[CostPoint]) -> Vec<CostPoint> {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Vec::new() };
    if changes.len() <= MOST {
        return changes.to_vec();
    }
    let log = |passes: u64| (passes.max(1) as f64).ln();
    let (low, high) = (log(first.passes), log(last.passes));
    let part = |change: &CostPoint| {
        ((log(change.passes) - low) / (high - low) * (MOST - 1) as f64).round() as usize
    };
    let mut kept: Vec<CostPoint> = Vec::new();
    for (place, change) in changes.iter().enumerate() {
        if place == 0 || changes.get(place + 1).is_none_or(|next| part(next) != part(change)) {
            kept.push(*change);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a curve that rises, loses its ends, or has a point that is not on it.
    #[test]
    fn long_curves_keep_their_shape() {
        let losses: Vec<(u64, f64)> = (1..=3000).map(|k| (k * 3, 1.0)).rev().collect();
        let curve = cost_curve(4000, 3500.0, &losses, 20_000);
        assert!(curve.len() <= MOST + 3, "{}", curve.len());
        assert_eq!((curve[0].passes, curve[0].correct), (0, 3500));
        assert_eq!((curve[1].passes, curve[1].correct), (3, 3499));
        let end = curve.last().unwrap();
        assert_eq!((end.passes, end.correct), (20_000, 500));
        assert!(curve.is_sorted_by(|a, b| a.passes < b.passes && a.correct >= b.correct));
        for point in &curve[..curve.len() - 1] {
            assert_eq!(point.correct, 3500 - point.passes / 3);
            assert!((point.rate - point.correct as f64 / 4000.0).abs() < 1e-12);
        }
    }

    /// Would catch a run in which nothing fell, or nothing was tried.
    #[test]
    fn flat_curves_are_flat() {
        let points = |end| {
            let curve = cost_curve(10, 7.0, &[], end);
            curve.iter().map(|point| (point.passes, point.correct)).collect::<Vec<_>>()
        };
        assert_eq!(points(0), [(0, 7)]);
        assert_eq!(points(50), [(0, 7), (50, 7)]);
    }
}
