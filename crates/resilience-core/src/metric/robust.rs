//! What is left of a model when every attack has had its turn, image by image.

use super::MARGIN_TOLERANCE;
use crate::record::{AttackOutcome, CleanOutcome};

/// Images that face one attack after another, in file order, each in the worst case so far.
///
/// An image is broken where it is right when clean and an attack made it another class; for a
/// model that answers differently each time that is the class of most passes. How much of an image
/// is left is the smallest share of passes that were right, of the clean image and of everything
/// that was tried: 0 or 1 for a deterministic model.
#[derive(Clone, Debug)]
pub struct Standing<'a> {
    clean: &'a [CleanOutcome],
    shares: Vec<f64>,
    broken: Vec<bool>,
    spent: Vec<u64>,
    losses: Vec<(u64, f64)>,
}

/// What one attack did to the images that faced it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faced {
    /// Images that it attacked.
    pub attacked: u64,
    /// Images that it broke of those.
    pub broke: u64,
    /// Images that it broke and that nothing before it had.
    pub adds: u64,
    /// Images that it broke by so little that another machine may decide otherwise.
    pub boundary: u64,
}

impl<'a> Standing<'a> {
    /// Images before any attack; `clean` is in file order.
    #[must_use]
    pub fn new(clean: &'a [CleanOutcome]) -> Self {
        Self {
            clean,
            shares: clean.iter().map(|c| c.right).collect(),
            broken: clean.iter().map(|c| c.predicted != c.label).collect(),
            spent: vec![0; clean.len()],
            losses: Vec::new(),
        }
    }

    /// Takes over what was found elsewhere, at no cost: says how many images are broken by it that
    /// were not before.
    pub fn carry(&mut self, outcomes: &[AttackOutcome]) -> u64 {
        let mut carried = 0;
        for outcome in outcomes {
            if let Some(place) = self.place(outcome.index) {
                carried += u64::from(self.take(place, outcome).1);
            }
        }
        carried
    }

    /// Lets an attack have its turn. Outcomes of images that do not stand here count for nothing.
    pub fn face(&mut self, outcomes: &[AttackOutcome]) -> Faced {
        let mut faced = Faced::default();
        for outcome in outcomes {
            let Some(place) = self.place(outcome.index) else { continue };
            let before = self.shares[place];
            let (breaks, adds) = self.take(place, outcome);
            self.spent[place] += outcome.forwards + outcome.backwards;
            if self.shares[place] < before {
                self.losses.push((self.spent[place], before - self.shares[place]));
            }
            faced.attacked += 1;
            faced.broke += u64::from(breaks);
            faced.adds += u64::from(adds);
            faced.boundary += u64::from(breaks && outcome.margin.abs() < MARGIN_TOLERANCE);
        }
        faced
    }

    /// How many images are right in the worst case so far, in shares of passes.
    #[must_use]
    pub fn left(&self) -> f64 {
        self.shares.iter().sum()
    }

    /// Which images stand: those that are still right in more than half of the passes.
    #[must_use]
    pub fn standing(&self) -> Vec<bool> {
        self.shares.iter().map(|share| *share > 0.5).collect()
    }

    /// What images lost since the attacks began, each with the passes that it had cost by then.
    #[must_use]
    pub fn losses(&self) -> &[(u64, f64)] {
        &self.losses
    }

    /// The most passes that were spent on one image.
    #[must_use]
    pub fn most_spent(&self) -> u64 {
        self.spent.iter().copied().max().unwrap_or(0)
    }

    fn place(&self, index: u64) -> Option<usize> {
        self.clean.binary_search_by_key(&index, |c| c.index).ok()
    }

    /// Whether the outcome breaks the image, and whether it is the first that does.
    fn take(&mut self, place: usize, outcome: &AttackOutcome) -> (bool, bool) {
        let clean = &self.clean[place];
        let breaks = clean.predicted == clean.label && outcome.predicted != clean.label;
        let adds = breaks && !self.broken[place];
        self.broken[place] |= breaks;
        self.shares[place] = self.shares[place].min(outcome.right);
        (breaks, adds)
    }
}

/// How many images one attack alone leaves, in shares of passes: right when clean and right
/// afterwards.
#[must_use]
pub fn alone(clean: &[CleanOutcome], outcomes: &[AttackOutcome]) -> f64 {
    let mut standing = Standing::new(clean);
    standing.carry(outcomes);
    standing.left()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::cost_curve;
    use crate::testdata::{clean_outcome, outcome};

    /// Six images of class 0, of which the last is wrong when clean.
    fn clean() -> Vec<CleanOutcome> {
        (0..6).map(|index| clean_outcome(index, 0, u32::from(index == 5))).collect()
    }

    /// Would catch an image that counts twice, a wrong image that counts as broken, and one that an
    /// attack accidentally corrects.
    #[test]
    fn attacks_take_turns() {
        let clean = clean();
        let mut standing = Standing::new(&clean);
        assert!((standing.left() - 5.0).abs() < 1e-12);
        assert_eq!(standing.carry(&[outcome(0, 0, 1), outcome(1, 0, 0), outcome(9, 0, 1)]), 1);
        let all = [
            outcome(0, 0, 1),
            outcome(1, 0, 2),
            outcome(2, 0, 0),
            outcome(3, 0, 0),
            outcome(4, 0, 0),
            outcome(5, 0, 0),
        ];
        let first = standing.face(&all);
        assert_eq!(first, Faced { attacked: 6, broke: 2, adds: 1, boundary: 0 });
        let mut close = outcome(3, 0, 1);
        close.margin = -0.5e-4;
        let second = standing.face(&[outcome(2, 0, 3), close, outcome(4, 0, 0)]);
        assert_eq!(second, Faced { attacked: 3, broke: 2, adds: 2, boundary: 1 });
        assert!((standing.left() - 1.0).abs() < 1e-12);
        assert_eq!(standing.standing(), [false, false, false, false, true, false]);
        assert!((alone(&clean, &all) - 3.0).abs() < 1e-12);
    }

    /// Would catch one lucky draw that breaks an image, and a mean that is not over all passes.
    #[test]
    fn noisy_images_are_left_in_shares() {
        let mut clean = clean();
        clean[0].right = 0.9;
        clean[5].right = 0.2;
        let mut standing = Standing::new(&clean);
        assert!((standing.left() - 5.1).abs() < 1e-12);
        let mut shaken = outcome(0, 0, 0);
        shaken.right = 0.6;
        let mut corrected = outcome(5, 0, 0);
        corrected.right = 0.8;
        let faced = standing.face(&[shaken, corrected]);
        assert_eq!(faced, Faced { attacked: 2, ..Faced::default() });
        assert!((standing.left() - 4.8).abs() < 1e-12);
        assert!(standing.standing()[0] && !standing.standing()[5]);
    }

    /// Would catch costs that are not summed over the attacks that an image met.
    #[test]
    fn costs_add_up_over_attacks() {
        let clean = clean();
        let spent = |index, predicted, forwards, backwards| AttackOutcome {
            forwards,
            backwards,
            ..outcome(index, 0, predicted)
        };
        let mut standing = Standing::new(&clean);
        standing.face(&[spent(0, 1, 2, 1), spent(1, 0, 100, 99), spent(2, 0, 100, 99)]);
        standing.face(&[spent(1, 3, 10, 10), spent(2, 0, 500, 0)]);
        assert_eq!(standing.losses(), [(3, 1.0), (219, 1.0)]);
        assert_eq!(standing.most_spent(), 699);
        let curve = cost_curve(6, 5.0, standing.losses(), standing.most_spent());
        let points: Vec<_> = curve.iter().map(|point| (point.passes, point.correct)).collect();
        assert_eq!(points, [(0, 5), (3, 4), (219, 3), (699, 3)]);
    }
}
