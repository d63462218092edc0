//! Pure functions of what a run found: rates with exact intervals, paired tests, moves, and what is
//! left when every attack has had its turn.

mod cost;
mod distances;
mod intervals;
mod paired;
mod robust;
mod seeds;

pub use self::cost::{CostPoint, cost_curve};
pub use self::distances::{Distances, quantile};
pub use self::intervals::{Table, clopper_pearson, difference};
pub use self::paired::{Paired, compared, mcnemar, paired};
pub use self::robust::{Faced, Standing, alone};
pub use self::seeds::{OverSeeds, difference_over_images, difference_over_seeds, rate_over_seeds};
use crate::record::{AttackOutcome, CleanOutcome};

/// Share of intervals, or of tests where nothing is to be found, that may mislead.
pub const ALPHA: f64 = 0.05;

/// Below this distance of the margin from 0 an image is too close to call: another machine, or
/// another number of images computed at once, adds floats in another order and may decide
/// otherwise.
pub const MARGIN_TOLERANCE: f64 = 1e-4;

/// How many clean predictions are the true class: the sum of the shares of passes, which is a whole
/// number where the model is deterministic.
#[must_use]
pub fn correct(clean: &[CleanOutcome]) -> f64 {
    clean.iter().map(|c| c.right).sum()
}

/// How many attacked predictions are the true class, likewise.
#[must_use]
pub fn correct_attacked(attacked: &[AttackOutcome]) -> f64 {
    attacked.iter().map(|a| a.right).sum()
}

/// How many predictions the attack left as they were, right or wrong.
#[must_use]
pub fn unchanged(clean: &[CleanOutcome], attacked: &[AttackOutcome]) -> u64 {
    clean.iter().zip(attacked).filter(|(c, a)| a.predicted == c.predicted).count() as u64
}

/// Where predictions move: entry `[from][to]` counts images that were predicted `from` when clean
/// and `to` when attacked. At least `classes` rows and columns; more where a model predicts more.
#[must_use]
pub fn moves(classes: usize, clean: &[CleanOutcome], attacked: &[AttackOutcome]) -> Vec<Vec<u64>> {
    let predicted = clean.iter().map(|c| c.predicted).chain(attacked.iter().map(|a| a.predicted));
    let size = predicted.max().map_or(classes, |most| classes.max(most as usize + 1));
    let mut moves = vec![vec![0; size]; size];
    for (before, after) in clean.iter().zip(attacked) {
        moves[before.predicted as usize][after.predicted as usize] += 1;
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata::{clean_outcome, outcome};

    fn clean(rows: &[(u32, u32)]) -> Vec<CleanOutcome> {
        let outcome = |(index, &(label, predicted))| clean_outcome(index, label, predicted);
        (0..).zip(rows).map(outcome).collect()
    }

    fn attacked(clean: &[CleanOutcome], rows: &[u32]) -> Vec<AttackOutcome> {
        clean.iter().zip(rows).map(|(c, &predicted)| outcome(c.index, c.label, predicted)).collect()
    }

    /// Would catch a robustness score that counts right answers instead of unchanged ones, and
    /// any mix-up of rows and columns.
    #[test]
    fn counts() {
        let before = clean(&[(0, 0), (0, 1), (1, 1), (2, 2), (2, 0)]);
        let after = attacked(&before, &[0, 1, 2, 1, 2]);
        assert!((correct(&before) - 3.0).abs() < 1e-12);
        assert!((correct_attacked(&after) - 2.0).abs() < 1e-12);
        assert_eq!(unchanged(&before, &after), 2);
        let expected = vec![vec![1, 0, 1], vec![0, 1, 1], vec![0, 1, 0]];
        assert_eq!(moves(3, &before, &after), expected);
        assert_eq!(moves(1, &before, &after), expected, "a model may predict more classes");
        let Paired { lost, gained, p } = paired(&before, &after);
        assert_eq!((lost, gained, p), (2, 1, 1.0));
    }
}
