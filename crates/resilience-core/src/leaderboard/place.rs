//! Where a result would stand among published claims.

use serde::{Deserialize, Serialize};

use super::{Claim, Effort, Percent, ThreatModel, near};
use crate::threat::{Eps, Norm};

/// What a result is of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target<'a> {
    /// The data set.
    pub dataset: &'a str,
    /// The norm of the threat.
    pub norm: Norm,
    /// Its radius.
    pub eps: f64,
}

/// A result among the claims on the same data set, norm and radius, ranked by what `AutoAttack` leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Claims that it is held against.
    pub claims: u64,
    /// Of those, the ones whose radius differs a little: 0.031 instead of 8/255.
    pub other_eps: u64,
    /// As many as there are better claims, and one more.
    pub rank: u64,
    /// The best and the worst rank that the 95 % interval of the result spans.
    pub rank95: [u64; 2],
    /// The nearest claim that is better; none above the best.
    pub above: Option<Neighbour>,
    /// The nearest one that is not; none below the last.
    pub below: Option<Neighbour>,
    /// Whether the result was attacked as the claims were.
    pub effort: Effort,
    /// Test images that the claims are over, the most of any.
    pub n: u64,
}

/// A claim beside the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// Its name.
    pub id: String,
    /// Its robust accuracy under `AutoAttack`.
    pub robust: f64,
    /// The lowest that is known of it, where an attack found more.
    pub best_known: Option<f64>,
    /// Whether `robust` is known to be too high.
    pub unreliable: bool,
}

/// The place of a rate with its interval; none where nothing is published for the target. Figures are
/// compared as they would be printed, and one that equals a claim stands beside it.
#[must_use]
pub fn place(
    claims: &[Claim],
    target: Target<'_>,
    (rate, [low, high]): (f64, [f64; 2]),
    effort: Effort,
) -> Option<Place> {
    let here = |claim: &&Claim| {
        claim.dataset == target.dataset
            && claim.threat == ThreatModel::Norm(target.norm)
            && claim.eps.is_some_and(|eps| near(eps.value(), target.eps))
    };
    let mut claims: Vec<&Claim> = claims.iter().filter(here).collect();
    claims.sort_by(|a, b| b.figure().cmp(&a.figure()).then_with(|| a.id.cmp(&b.id)));
    let better = |share: f64| {
        let ours = Percent::of_share(share);
        claims.partition_point(|claim| claim.figure() > ours)
    };
    let at = better(rate);
    let rank = |share: f64| better(share) as u64 + 1;
    let other = |claim: &&&Claim| claim.eps.map(Eps::value) != Some(target.eps);
    Some(Place {
        claims: claims.len() as u64,
        other_eps: claims.iter().filter(other).count() as u64,
        rank: rank(rate),
        rank95: [rank(high), rank(low)],
        above: at.checked_sub(1).and_then(|place| claims.get(place)).map(|claim| neighbour(claim)),
        below: claims.get(at).map(|claim| neighbour(claim)),
        effort,
        n: claims.iter().map(|claim| claim.n).max()?,
    })
}

fn neighbour(claim: &Claim) -> Neighbour {
    Neighbour {
        id: claim.id.clone(),
        robust: claim.figure().share(),
        best_known: claim.best_known.map(Percent::share),
        unreliable: claim.is_unreliable(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::published;

    const LINF: Target<'_> = Target { dataset: "cifar10", norm: Norm::Linf, eps: 8.0 / 255.0 };

    fn at(rate: f64, low: f64, high: f64) -> Place {
        place(&published().unwrap(), LINF, (rate, [low, high]), Effort::Less).unwrap()
    }

    /// Would catch a rank that is off by one, ends that have no neighbour, and an interval that is
    /// turned round.
    #[test]
    fn ranks_are_counted_from_the_best() {
        let id = |neighbour: Option<Neighbour>| neighbour.map(|neighbour| neighbour.id);
        let place = at(0.70, 0.68, 0.72);
        assert_eq!((place.claims, place.other_eps, place.n), (99, 6, 10_000));
        assert_eq!((place.rank, place.rank95), (9, [4, 10]));
        assert_eq!(id(place.above).as_deref(), Some("Bai2024MixedNUTS"));
        assert_eq!(id(place.below).as_deref(), Some("Bai2023Improving_edm"));
        let best = at(0.80, 0.79, 0.81);
        assert_eq!((best.rank, best.rank95, best.above), (1, [1, 1], None));
        let last = at(0.0, 0.0, 0.1);
        assert_eq!((last.rank, last.rank95), (98, [95, 98]));
        // Between the two that are known for figures that are too high.
        let place = at(0.19, 0.18, 0.20);
        let below = place.below.unwrap();
        assert!(below.unreliable && below.best_known == Some(0.074), "{below:?}");
    }

    /// Would catch an equal figure that is called better or worse because floats differ.
    #[test]
    fn an_equal_figure_stands_beside() {
        let place = at(0.5709, 0.5709, 0.5709);
        assert_eq!((place.rank, place.rank95), (49, [49, 49]));
        assert!((place.below.unwrap().robust - 0.5709).abs() < 1e-12);
        assert!(place.above.unwrap().robust > 0.5709);
    }

    /// Would catch a comparison with claims of another radius, norm or data set.
    #[test]
    fn nothing_is_said_where_nothing_is_published() {
        let claims = published().unwrap();
        let place = |target| place(&claims, target, (0.5, [0.4, 0.6]), Effort::Same);
        for target in [
            Target { eps: 4.0 / 255.0, ..LINF },
            Target { eps: 0.1, ..LINF },
            Target { norm: Norm::L1, ..LINF },
            Target { norm: Norm::L2, ..LINF },
            Target { dataset: "shapes10", ..LINF },
            Target { dataset: "cifar10-altered", ..LINF },
        ] {
            assert_eq!(place(target), None, "{target:?}");
        }
        assert_eq!(place(Target { norm: Norm::L2, eps: 0.5, ..LINF }).map(|p| p.claims), Some(21));
        assert_eq!(place(Target { eps: 0.031, ..LINF }).map(|p| p.other_eps), Some(93));
    }
}
