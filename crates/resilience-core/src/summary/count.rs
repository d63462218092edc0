//! From single outcomes to figures.

use super::{
    AttackSummary, Correct, CurvePoint, CurveSummary, DatasetSummary, ModelSummary, SCHEMA,
    Summary, SummaryError, Unchanged,
};
use crate::metric;
use crate::record::{AttackOutcome, AttackRecord, CleanOutcome, ModelRecord};
use crate::store::RunStore;

/// Counts everything that a run recorded.
///
/// Fails where the store cannot be read, holds no model yet, or lacks outcomes.
pub fn from_store(store: &RunStore) -> Result<Summary, SummaryError> {
    let run = store.provenance()?;
    let mut models = Vec::new();
    for (id, record) in store.models()? {
        let clean = store.clean(id)?;
        check_length(store, &record.name, record.dataset.n, clean.len())?;
        let classes = clean.iter().flat_map(|c| [c.label, c.predicted]);
        check_classes(store, &record.name, classes)?;
        let mut attacks = Vec::new();
        let mut curves = Vec::new();
        for (attack_id, attack) in store.attacks(id)? {
            let outcomes = store.outcomes(attack_id)?;
            check_length(
                store,
                &format!("{}, {}", record.name, attack.id),
                attack.n,
                outcomes.len(),
            )?;
            check_classes(store, &attack.id, outcomes.iter().map(|o| o.predicted))?;
            let first = clean.get(..outcomes.len()).ok_or_else(|| SummaryError::Incomplete {
                path: store.path().to_owned(),
                what: format!("{}, {}", record.name, attack.id),
                expected: outcomes.len() as u64,
                found: clean.len() as u64,
            })?;
            if attack.curve {
                add_point(&mut curves, &attack, first, &outcomes);
            } else {
                let classes = record.dataset.classes.len();
                attacks.push(count_attack(attack, classes, first, &outcomes));
            }
        }
        models.push(count_model(record, &clean, attacks, curves));
    }
    if models.is_empty() {
        return Err(SummaryError::Empty { path: store.path().to_owned() });
    }
    let finished = store.finished()?;
    Ok(Summary { schema: SCHEMA, tool: run.tool.clone(), run, finished, models })
}

/// The moves are a square of so many classes, so that a damaged number must not ask for all
/// memory: a thousand classes, as `ImageNet` has, take 8 MB for each attack.
const MOST_CLASS: u32 = 999;

fn check_classes(
    store: &RunStore,
    what: &str,
    mut classes: impl Iterator<Item = u32>,
) -> Result<(), SummaryError> {
    classes.find(|&class| class > MOST_CLASS).map_or(Ok(()), |class| {
        let (path, what) = (store.path().to_owned(), what.to_owned());
        Err(SummaryError::Class { path, what, class, most: MOST_CLASS })
    })
}

fn check_length(
    store: &RunStore,
    what: &str,
    expected: u64,
    found: usize,
) -> Result<(), SummaryError> {
    if found as u64 == expected && found > 0 {
        return Ok(());
    }
    Err(SummaryError::Incomplete {
        path: store.path().to_owned(),
        what: what.to_owned(),
        expected,
        found: found as u64,
    })
}

fn count_model(
    record: ModelRecord,
    clean: &[CleanOutcome],
    attacks: Vec<AttackSummary>,
    curves: Vec<CurveSummary>,
) -> ModelSummary {
    let dataset = record.dataset;
    ModelSummary {
        name: record.name,
        architecture: record.architecture,
        weights_sha256: record.weights_sha256,
        source: record.source,
        parameters: record.parameters,
        mean: record.mean,
        std: record.std,
        layers: record.layers,
        training: record.training,
        dataset: DatasetSummary {
            name: dataset.name,
            split: dataset.split,
            n: dataset.n,
            sha256: dataset.sha256,
            classes: dataset.classes,
        },
        clean: Correct::of(metric::correct(clean), clean.len() as u64),
        attacks,
        curves,
    }
}

fn count_attack(
    record: AttackRecord,
    classes: usize,
    clean: &[CleanOutcome],
    attacked: &[AttackOutcome],
) -> AttackSummary {
    AttackSummary {
        id: record.id,
        norm: record.norm,
        eps: record.eps,
        eps_text: record.eps_text,
        labels: record.labels,
        settings: record.settings,
        adversarial: Correct::of(metric::correct_attacked(clean, attacked), record.n),
        robustness: Unchanged::of(metric::unchanged(clean, attacked), record.n),
        paired: metric::paired(clean, attacked),
        moves: metric::moves(classes, clean, attacked),
        forwards: record.forwards,
        backwards: record.backwards,
        seconds: record.seconds,
    }
}

/// Adds a point to the curve of its attack, norm, labels and images, in the order of eps.
fn add_point(
    curves: &mut Vec<CurveSummary>,
    record: &AttackRecord,
    clean: &[CleanOutcome],
    attacked: &[AttackOutcome],
) {
    let point = CurvePoint {
        eps: record.eps,
        adversarial: Correct::of(metric::correct_attacked(clean, attacked), record.n),
    };
    let same = |curve: &&mut CurveSummary| {
        curve.attack == record.id
            && curve.norm == record.norm
            && curve.labels == record.labels
            && curve.clean.n == record.n
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
        clean: Correct::of(metric::correct(clean), record.n),
        points: vec![point],
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::LabelSource;
    use crate::testdata;

    /// Would catch a figure that is not the count of the outcomes in the store: another model's,
    /// over other images, or a curve point taken for a result.
    #[test]
    fn figures_are_the_counts_of_the_store() {
        let dir = tempfile::tempdir().unwrap();
        let plan = serde_json::Value::Null;
        let mut store = RunStore::create(dir.path(), &testdata::provenance(), &plan).unwrap();
        let error = from_store(&store).unwrap_err();
        assert!(matches!(error, SummaryError::Empty { .. }), "{error}");

        let (record, clean) = testdata::model_with("a", 400, 0.6);
        let first = store.add_model(&record, &clean).unwrap();
        let (record, other) = testdata::model_with("b", 300, 0.9);
        store.add_model(&record, &other).unwrap();
        let (attack, outcomes) = testdata::attack(&clean);
        store.add_attack(first, &attack, &outcomes, &[]).unwrap();
        for eps in [0.05, 0.02, 0.1] {
            let (mut point, outcomes) =
                testdata::attack_with(&clean[..50], LabelSource::True, eps, 0.5);
            point.curve = true;
            store.add_attack(first, &point, &outcomes, &[]).unwrap();
        }

        let summary = from_store(&store).unwrap();
        let [a, b] = &summary.models[..] else { panic!("two models") };
        assert_eq!((a.clean.n, b.clean.n), (400, 300));
        let right = clean.iter().filter(|c| c.label == c.predicted).count() as u64;
        assert_eq!(a.clean.correct, right);
        assert_eq!(a.attacks.len(), 1);
        let attack = &a.attacks[0];
        let kept =
            clean.iter().zip(&outcomes).filter(|(c, o)| c.predicted == o.predicted).count() as u64;
        assert_eq!(attack.robustness.unchanged, kept);
        assert_eq!(attack.moves.iter().flatten().sum::<u64>(), 400);
        assert_eq!(
            attack.adversarial.correct + attack.paired.lost,
            a.clean.correct + attack.paired.gained
        );
        let [curve] = &a.curves[..] else { panic!("one curve") };
        assert_eq!(curve.clean.n, 50);
        let eps: Vec<f64> = curve.points.iter().map(|point| point.eps).collect();
        assert_eq!(eps, [0.02, 0.05, 0.1]);
        assert!(b.attacks.is_empty() && b.curves.is_empty());
    }

    /// Would catch a damaged class number that asks for a matrix of all memory.
    #[test]
    fn impossible_classes_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let plan = serde_json::Value::Null;
        let mut store = RunStore::create(dir.path(), &testdata::provenance(), &plan).unwrap();
        let (record, mut clean) = testdata::model("a", 5);
        clean[3].predicted = u32::MAX;
        store.add_model(&record, &clean).unwrap();
        let error = from_store(&store).unwrap_err();
        assert!(matches!(error, SummaryError::Class { class: u32::MAX, .. }), "{error}");
    }
}
