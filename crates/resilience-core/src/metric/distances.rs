//! How far the nearest misclassified points lie, and what that says of every radius at once.

use crate::record::CleanOutcome;

/// For each image the smallest distance at which it is known to be misclassified: 0 where it is wrong
/// when clean, infinite where nothing was found.
#[derive(Clone, Debug)]
pub struct Distances<'a> {
    clean: &'a [CleanOutcome],
    least: Vec<f64>,
}

impl<'a> Distances<'a> {
    /// Images of which nothing is known yet; `clean` is in file order.
    #[must_use]
    pub fn new(clean: &'a [CleanOutcome]) -> Self {
        let wrong = |c: &CleanOutcome| if c.right <= 0.0 { 0.0 } else { f64::INFINITY };
        Self { clean, least: clean.iter().map(wrong).collect() }
    }

    /// Takes a misclassified point of an image; says whether it is nearer than those before.
    pub fn take(&mut self, index: u64, distance: f64) -> bool {
        let place = self.clean.binary_search_by_key(&index, |c| c.index);
        let nearer = place.is_ok_and(|place| distance < self.least[place]);
        if let (true, Ok(place)) = (nearer, place) {
            self.least[place] = distance;
        }
        nearer
    }

    /// The smallest distance that is known of an image; none where it is not among these.
    #[must_use]
    pub fn of(&self, index: u64) -> Option<f64> {
        let place = self.clean.binary_search_by_key(&index, |c| c.index).ok()?;
        Some(self.least[place])
    }

    /// How many images are right, in shares of passes, when everything within this radius counts.
    #[must_use]
    pub fn right_at(&self, radius: f64) -> f64 {
        let standing = self.clean.iter().zip(&self.least).filter(|(_, least)| **least > radius);
        standing.map(|(c, _)| c.right).sum()
    }

    /// The distances of the images that are right when clean, in order; those of which nothing was found
    /// come last.
    #[must_use]
    pub fn sorted(&self) -> Vec<f64> {
        let right = self.clean.iter().zip(&self.least).filter(|(c, _)| c.right > 0.0);
        let mut distances: Vec<f64> = right.map(|(_, least)| *least).collect();
        distances.sort_by(f64::total_cmp);
        distances
    }
}

/// The smallest of sorted distances within which lies at least this share of them; none where that takes
/// one that was not found.
#[must_use]
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = ((share * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(place).copied().filter(|distance| distance.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata::clean_outcome;

    /// Would catch an image that counts though it is wrong when clean, a farther point that replaces a
    /// nearer one, and a radius that leaves out points at its border.
    #[test]
    fn nearest_points_say_what_every_radius_leaves() {
        let clean: Vec<_> = (0..5).map(|i| clean_outcome(i, 0, u32::from(i == 4))).collect();
        let mut distances = Distances::new(&clean);
        assert!(distances.take(0, 0.3) && !distances.take(0, 0.4) && distances.take(0, 0.1));
        assert!(distances.take(1, 0.2) && distances.take(3, 0.5));
        assert!(!distances.take(4, 0.01) && !distances.take(9, 0.01));
        let left = [0.0, 0.05, 0.1, 0.2, 0.5].map(|radius| distances.right_at(radius) as u64);
        assert_eq!(left, [4, 4, 3, 2, 1]);
        assert_eq!(distances.sorted(), vec![0.1, 0.2, 0.5, f64::INFINITY]);
        assert_eq!(
            (distances.of(0), distances.of(4), distances.of(9)),
            (Some(0.1), Some(0.0), None)
        );
    }

    /// Would catch a quantile beside the one that is meant, and one made up of images that nothing was
    /// found of.
    #[test]
    fn quantiles_are_distances_that_were_found() {
        let sorted = [0.1, 0.2, 0.5, f64::INFINITY];
        let found = [0.0, 0.25, 0.5, 0.75, 0.76, 1.0].map(|share| quantile(&sorted, share));
        assert_eq!(found, [Some(0.1), Some(0.1), Some(0.2), Some(0.5), None, None]);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
