//! From nearest points to distances, curves and ranges.

use super::super::distances::{Bin, DistanceSummary, NearestSummary};
use super::super::{Correct, CurvePoint};
use super::found::{Attacked, Found};
use crate::metric::{self, Distances, quantile};
use crate::record::{CleanOutcome, Goal};
use crate::threat::Norm;

/// As many points has a curve, and as many ranges are counted.
const POINTS: u32 = 60;
const BINS: u32 = 30;
/// The curve goes as far as this share of the distances that were found: the few farthest ones would
/// squeeze all others together.
const SHOWN: f64 = 0.98;

/// One entry for every norm in which nearest points were looked for and all of an attack's were found.
pub fn count(found: &Found) -> Vec<DistanceSummary> {
    Norm::ALL.into_iter().filter_map(|norm| in_norm(found, norm)).collect()
}

fn in_norm(found: &Found, norm: Norm) -> Option<DistanceSummary> {
    let looked =
        |attacked: &&Attacked| attacked.record.goal == Goal::Nearest && attacked.record.finished;
    let here = || found.attacks.iter().filter(|attacked| attacked.record.norm == norm);
    let n = here().filter(looked).map(|attacked| attacked.record.n).min()?;
    let clean = found.first(n);
    if clean.is_empty() {
        return None;
    }
    let mut all = Distances::new(clean);
    for attacked in here() {
        for near in &attacked.nearest {
            all.take(near.index, near.distance);
        }
        let broken = attacked.outcomes.iter().filter(|outcome| outcome.right <= 0.0);
        for outcome in broken {
            all.take(outcome.index, outcome.distance);
        }
    }
    let attacks = here().filter(looked).map(|attacked| attack(attacked, clean, &all)).collect();
    let sorted = all.sorted();
    let reached = sorted.partition_point(|distance| distance.is_finite());
    let end = quantile(&sorted[..reached], SHOWN);
    let bins = end.map_or_else(Vec::new, |end| bins(&sorted, end));
    let counted: u64 = bins.iter().map(|bin| bin.images).sum();
    Some(DistanceSummary {
        norm,
        clean: Correct::of_shares(metric::correct(clean), clean.len() as u64),
        right: sorted.len() as u64,
        found: reached as u64,
        quartiles: [0.25, 0.5, 0.75].map(|share| quantile(&sorted, share)),
        attacks,
        points: end.map_or_else(Vec::new, |end| points(&all, clean, end)),
        bins,
        beyond: reached as u64 - counted,
    })
}

fn attack(attacked: &Attacked, clean: &[CleanOutcome], all: &Distances<'_>) -> NearestSummary {
    let record = &attacked.record;
    let mut own = Distances::new(clean);
    for near in &attacked.nearest {
        own.take(near.index, near.distance);
    }
    let sorted = own.sorted();
    let nearest = attacked.nearest.iter().filter(|near| all.of(near.index) == Some(near.distance));
    NearestSummary {
        stage: record.stage,
        id: record.id.clone(),
        settings: record.settings.clone(),
        found: sorted.partition_point(|distance| distance.is_finite()) as u64,
        median: quantile(&sorted, 0.5),
        nearest: nearest.count() as u64,
        passes: record.forwards + record.backwards,
        seconds: record.seconds,
    }
}

fn points(all: &Distances<'_>, clean: &[CleanOutcome], end: f64) -> Vec<CurvePoint> {
    let at = |part: u32| end * f64::from(part) / f64::from(POINTS);
    let point = |eps| CurvePoint {
        eps,
        adversarial: Correct::of_shares(all.right_at(eps), clean.len() as u64),
    };
    (1..=POINTS).map(at).map(point).collect()
}

fn bins(sorted: &[f64], end: f64) -> Vec<Bin> {
    let border = |part: u32| end * f64::from(part) / f64::from(BINS);
    let within = |border: f64| sorted.partition_point(|distance| *distance <= border) as u64;
    let bin = |part| {
        let (low, high) = (border(part), border(part + 1));
        Bin { low, high, images: within(high) - if part == 0 { 0 } else { within(low) } }
    };
    (0..BINS).map(bin).collect()
}
