//! Counts the runs of a comparison.

use std::path::Path;

use super::gap::{Gap, gap};
use super::terms::Terms;
use super::{
    Comparison, ComparisonError, Difference, Evaluation, Figure, Group, Measure, Member, SCHEMA,
    Suite,
};
use crate::metric::{self, compared, mcnemar};
use crate::plan::Stage;
use crate::record::{AttackOutcome, CleanOutcome, LabelSource, Scope};
use crate::store::{RunStore, StoreError};
use crate::summary::{self, Judged, ThreatSummary};
use crate::threat::{Eps, Norm};

/// A run that a suite asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the network or ensemble.
    pub name: String,
    /// Its seed; none of an ensemble.
    pub seed: Option<u64>,
}

impl Place {
    /// The run's folder within the comparison's.
    #[must_use]
    pub fn folder(&self) -> String {
        match self.seed {
            Some(seed) => format!("{}-seed{seed}", self.name),
            None => self.name.clone(),
        }
    }

    /// What it is called in tables.
    #[must_use]
    pub fn title(&self) -> String {
        match self.seed {
            Some(seed) => format!("{}, seed {seed}", self.name),
            None => self.name.clone(),
        }
    }
}

/// Which images are right in a run, by measure.
pub struct Verdicts {
    /// The run's seed.
    pub seed: Option<u64>,
    /// What is measured, and whether each image is right.
    pub right: Vec<(Measure, Vec<bool>)>,
}

/// The radii that are measured at.
#[derive(Clone, Copy)]
struct Radii {
    norm: Norm,
    eps: f64,
    claim: Option<f64>,
}

/// Counts the finished runs of a suite in a folder; what is missing is named.
pub fn count(suite: &Suite, dir: &Path) -> Result<Comparison, ComparisonError> {
    let Evaluation { threat, claim, .. } = suite.evaluation;
    let (norm, eps) = (threat.norm(), threat.eps().value());
    let radii = Radii { norm, eps, claim: claim.map(Eps::value) };
    let mut groups = Vec::new();
    let mut verdicts: Vec<Vec<Verdicts>> = Vec::new();
    let mut missing = Vec::new();
    let mut terms: Option<Terms> = None;
    for (name, title, places) in suite.judged() {
        let mut members = Vec::new();
        let mut found = Vec::new();
        for place in places {
            match read(dir, &place, radii)? {
                None => missing.push(place.title()),
                Some((member, verdict, judged_by)) => {
                    if let Some(what) =
                        terms.get_or_insert_with(|| judged_by.clone()).unlike(&judged_by)
                    {
                        return Err(ComparisonError::Foreign {
                            path: dir.join(&member.folder),
                            what,
                        });
                    }
                    members.push(member);
                    found.push(verdict);
                }
            }
        }
        if members.is_empty() {
            continue;
        }
        groups.push(group([name, title], &found, members));
        verdicts.push(found);
    }
    let differences = compare(&groups, &verdicts);
    Ok(Comparison {
        schema: SCHEMA,
        name: suite.name.clone(),
        about: suite.about.clone(),
        threat: ThreatSummary { norm, eps, eps_text: threat.eps().to_string() },
        claim: claim.map(|claim| ThreatSummary {
            norm,
            eps: claim.value(),
            eps_text: claim.to_string(),
        }),
        stages: terms.map_or_else(Vec::new, |terms| terms.stages),
        groups,
        differences,
        missing,
    })
}

/// A finished run in its folder; none where there is none, or it is not finished.
fn read(
    dir: &Path,
    place: &Place,
    radii: Radii,
) -> Result<Option<(Member, Verdicts, Terms)>, ComparisonError> {
    let folder = place.folder();
    let store = match RunStore::open(&dir.join(&folder)) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        store => store?,
    };
    if !store.finished()? {
        return Ok(None);
    }
    let (mut summary, judged) = summary::judged(&store)?;
    let ([model], [judged]) = (&mut summary.models[..], &judged[..]) else {
        return Err(ComparisonError::Foreign {
            path: dir.join(&folder),
            what: "it holds a run of several models".to_owned(),
        });
    };
    let (training, curves) = (model.training.clone(), model.curves.clone());
    let verdicts = Verdicts { seed: place.seed, right: verdicts(&store, judged, radii)? };
    let terms = Terms::of(store.plan());
    Ok(Some((Member { seed: place.seed, folder, training, curves, summary }, verdicts, terms)))
}

fn verdicts(
    store: &RunStore,
    judged: &Judged,
    radii: Radii,
) -> Result<Vec<(Measure, Vec<bool>)>, ComparisonError> {
    let mut found = Vec::new();
    if let Some(right) = judged.standing(None) {
        found.push((Measure::Clean, right.to_vec()));
    }
    if let Some(right) = judged.standing(Some((radii.norm, radii.eps))) {
        found.push((Measure::Robust, right.to_vec()));
    }
    let stages = &store.plan().stages;
    for (model, _) in store.models()? {
        let clean = store.clean(model)?;
        for (id, attack) in store.attacks(model)? {
            let stage = stages.get(attack.stage as usize);
            let Some(measure) = stage.and_then(|stage| measure(stage, radii)) else { continue };
            let outcomes = store.outcomes(id)?;
            found.push((measure, outcomes.iter().map(|outcome| outcome.right > 0.5).collect()));
            if measure == Measure::FgsmTrue {
                found.push((Measure::Stability, unchanged(&clean, &outcomes)));
            }
        }
    }
    Ok(found)
}

/// What an attack on all images measures.
fn measure(stage: &Stage, radii: Radii) -> Option<Measure> {
    if stage.curve || stage.scope != Scope::All {
        return None;
    }
    let eps = stage.threat.threat().ok()?.eps().value();
    let at = |radius: f64| eps.to_bits() == radius.to_bits();
    match (stage.attack.as_str(), stage.labels) {
        ("fgsm", LabelSource::True) if at(radii.eps) => Some(Measure::FgsmTrue),
        ("fgsm", LabelSource::Predicted) if at(radii.eps) => Some(Measure::FgsmPredicted),
        ("pgd", LabelSource::True) if at(radii.eps) => Some(Measure::Pgd),
        ("fgsm", LabelSource::True) if radii.claim.is_some_and(at) => Some(Measure::Claim),
        _ => None,
    }
}

fn unchanged(clean: &[CleanOutcome], attacked: &[AttackOutcome]) -> Vec<bool> {
    clean.iter().zip(attacked).map(|(c, a)| c.predicted == a.predicted).collect()
}

/// The verdicts of every seed on a measure, where all have it on as many images.
pub(super) fn of(verdicts: &[Verdicts], measure: Measure) -> Option<Vec<Vec<bool>>> {
    let right = verdicts.iter().map(|Verdicts { right, .. }| {
        right.iter().find(|(of, _)| *of == measure).map(|(_, right)| right.clone())
    });
    let right: Vec<Vec<bool>> = right.collect::<Option<_>>()?;
    let n = right.first()?.len();
    (n > 0 && right.iter().all(|images| images.len() == n)).then_some(right)
}

/// What is counted of a group, from the verdicts of its members.
#[must_use]
pub fn group([name, title]: [&str; 2], verdicts: &[Verdicts], members: Vec<Member>) -> Group {
    let figures = Measure::ALL.into_iter().filter_map(|measure| figure(verdicts, measure));
    Group {
        name: name.to_owned(),
        title: title.to_owned(),
        figures: figures.collect(),
        gaps: Gap::ASKED.into_iter().filter_map(|two| gap(verdicts, two)).collect(),
        members,
    }
}

fn figure(verdicts: &[Verdicts], measure: Measure) -> Option<Figure> {
    let right = of(verdicts, measure)?;
    let n = right.first()?.len();
    let rate = |images: &Vec<bool>| images.iter().filter(|&&r| r).count() as f64 / n as f64;
    let by_seed = right.iter().map(rate).collect();
    Some(Figure::new(measure, n as u64, by_seed, metric::rate_over_seeds(&right)))
}

/// Every two groups that share images, by measure; the verdicts in the order of the groups.
#[must_use]
pub fn compare(groups: &[Group], verdicts: &[Vec<Verdicts>]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (place, a) in groups.iter().enumerate() {
        for (other, b) in groups.iter().enumerate().skip(place + 1) {
            let two = [&verdicts[place][..], &verdicts[other][..]];
            let measures = Measure::ALL.into_iter();
            differences.extend(measures.filter_map(|m| difference(m, [&a.name, &b.name], two)));
        }
    }
    differences
}

fn difference(
    measure: Measure,
    [a, b]: [&str; 2],
    [ours, theirs]: [&[Verdicts]; 2],
) -> Option<Difference> {
    let (right, others) = (of(ours, measure)?, of(theirs, measure)?);
    let n = right.first()?.len();
    if others.first()?.len() != n {
        return None;
    }
    let shared = shared(ours, theirs);
    let (over, seeds) = if shared.len() > 1 {
        let pair = |&[place, other]: &[usize; 2]| [right[place].clone(), others[other].clone()];
        let pairs: Vec<_> = shared.iter().map(pair).collect();
        (metric::difference_over_seeds(&pairs), [shared.len(); 2])
    } else {
        (metric::difference_over_images(&right, &others), [right.len(), others.len()])
    };
    let p = match (&right[..], &others[..]) {
        ([right], [other]) => {
            let table = compared(right, other);
            Some(mcnemar(table.only_a, table.only_b))
        }
        _ => None,
    };
    Some(Difference {
        measure,
        a: a.to_owned(),
        b: b.to_owned(),
        n: n as u64,
        seeds: seeds.map(|seeds| seeds as u64),
        pairs: if shared.len() > 1 { shared.len() as u64 } else { 0 },
        difference: over.mean,
        ci95: over.ci95,
        p,
    })
}

/// Where the seeds that both have stand in either, by growing seed, each once.
fn shared(ours: &[Verdicts], theirs: &[Verdicts]) -> Vec<[usize; 2]> {
    let mut shared: Vec<(u64, [usize; 2])> = Vec::new();
    for (place, verdicts) in ours.iter().enumerate() {
        let Some(seed) = verdicts.seed else { continue };
        if let Some(other) = theirs.iter().position(|other| other.seed == Some(seed)) {
            shared.push((seed, [place, other]));
        }
    }
    shared.sort_unstable();
    shared.dedup_by_key(|(seed, _)| *seed);
    shared.into_iter().map(|(_, places)| places).collect()
}

impl Suite {
    /// Every run that is judged, in order.
    pub fn places(&self) -> impl Iterator<Item = Place> {
        self.judged().flat_map(|(_, _, places)| places)
    }

    /// What is judged, in order: name, title, and its runs.
    fn judged(&self) -> impl Iterator<Item = (&str, &str, Vec<Place>)> {
        let networks = self.networks.iter().filter(|network| network.shown).map(|network| {
            let place = |&seed| Place { name: network.name.clone(), seed: Some(seed) };
            (&network.name[..], &network.title[..], network.seeds.iter().map(place).collect())
        });
        let ensembles = self.ensembles.iter().map(|ensemble| {
            let place = Place { name: ensemble.name.clone(), seed: None };
            (&ensemble.name[..], &ensemble.title[..], vec![place])
        });
        networks.chain(ensembles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds, and how many of ten images each has right, the first ones.
    fn verdicts(seeds: &[(u64, usize)]) -> Vec<Verdicts> {
        let one = |&(seed, right): &(u64, usize)| Verdicts {
            seed: Some(seed),
            right: vec![(Measure::Clean, (0..10).map(|image| image < right).collect())],
        };
        seeds.iter().map(one).collect()
    }

    fn found(ours: &[(u64, usize)], theirs: &[(u64, usize)]) -> Difference {
        let (ours, theirs) = (verdicts(ours), verdicts(theirs));
        difference(Measure::Clean, ["a", "b"], [&ours, &theirs]).unwrap()
    }

    /// Would catch seeds that are paired by their places, and pairs of different seeds: one shared seed is no
    /// pair, so that all four trainings count, and the images alone.
    #[test]
    fn seeds_that_are_not_shared_are_not_paired() {
        let d = found(&[(0, 6), (1, 8)], &[(1, 5), (2, 3)]);
        assert_eq!((d.pairs, d.seeds, d.p), (0, [2, 2], None));
        assert!(d.is_of_images_alone());
        assert!((d.difference - 0.3).abs() < 1e-12, "{d:?}");
        let one = found(&[(0, 6)], &[(0, 5), (1, 5), (2, 5)]);
        assert_eq!((one.pairs, one.seeds, one.p), (0, [1, 3], None));
        assert!((one.difference - 0.1).abs() < 1e-12, "{one:?}");
        let single = found(&[(0, 6)], &[(0, 5)]);
        assert_eq!((single.pairs, single.seeds), (0, [1, 1]));
        assert!((single.p.unwrap() - 1.0).abs() < 1e-9, "{single:?}");
    }

    /// Would catch a seed in the difference that only one of the two has: it would be 1/10 of an image more.
    #[test]
    fn only_shared_seeds_are_in_pairs() {
        let d = found(&[(0, 6), (1, 10), (2, 8)], &[(0, 5), (2, 6)]);
        assert_eq!((d.pairs, d.seeds, d.p), (2, [2, 2], None));
        assert!(!d.is_of_images_alone());
        assert!((d.difference - 0.15).abs() < 1e-12, "{d:?}");
        assert_eq!(d.turned().pairs, 2);
    }

    /// Would catch pairs by place: in the order 1, 0 the pairs' differences would be 4/10 and -2/10 rather than
    /// twice 1/10, and the interval wide.
    #[test]
    fn the_order_of_the_seeds_does_not_matter() {
        let turned = found(&[(1, 9), (0, 6)], &[(0, 5), (1, 8)]);
        assert_eq!(turned, found(&[(0, 6), (1, 9)], &[(0, 5), (1, 8)]));
        assert_eq!(turned.pairs, 2);
    }

    /// Would catch ensembles that are paired because neither has a seed.
    #[test]
    fn ensembles_are_no_pairs() {
        let mut two = [verdicts(&[(0, 6)]), verdicts(&[(0, 5)])];
        for verdicts in two.iter_mut().flatten() {
            verdicts.seed = None;
        }
        let d = difference(Measure::Clean, ["a", "b"], [&two[0], &two[1]]).unwrap();
        assert_eq!((d.pairs, d.seeds), (0, [1, 1]));
    }
}
