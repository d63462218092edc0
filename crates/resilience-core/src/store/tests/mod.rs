//! The store under good and bad use.

mod crash;
mod evidence;
mod merge;

use super::*;
use crate::audit::AuditRecord;
use crate::record::{
    AttackOutcome, AttackRecord, CleanOutcome, Example, Goal, ModelRecord, Nearest, Unit,
};
use crate::testdata;

/// A model, its clean outcomes, an attack that is to come, and what it will have found.
struct Sample {
    model: ModelRecord,
    clean: Vec<CleanOutcome>,
    attack: AttackRecord,
    outcomes: Vec<AttackOutcome>,
}

fn sample(n: usize) -> Sample {
    let (model, clean) = testdata::model("resnet32", n);
    let (attack, outcomes) = testdata::attack(&clean);
    Sample { model, clean, attack, outcomes }
}

impl Sample {
    fn plan(&self) -> Plan {
        testdata::plan(self.clean.len(), &["resnet32"], std::slice::from_ref(&self.attack))
    }

    fn begun(&self) -> AttackRecord {
        AttackRecord { attacked: 0, finished: false, ..self.attack.clone() }
    }

    /// The store of this run, before anything is in it.
    fn create(&self, dir: &Path) -> RunStore {
        RunStore::create(dir, &testdata::provenance(), &self.plan()).unwrap()
    }

    /// The store with the model in it and the attack begun.
    fn under_way(&self, dir: &Path) -> (RunStore, ModelId, AttackId) {
        let mut store = self.create(dir);
        let model = store.add_model(&self.model, &self.clean).unwrap();
        let attack = store.begin_attack(model, &self.begun()).unwrap();
        (store, model, attack)
    }
}

/// Would catch a run that was broken off being taken for a complete one, or the mark being lost.
#[test]
fn only_a_finished_run_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(5);
    let mut store = sample.create(dir.path());
    assert!(!store.finished().unwrap());
    let error = store.finish().unwrap_err().to_string();
    assert!(error.contains("1 models of the plan"), "{error}");
    let model = store.add_model(&sample.model, &sample.clean).unwrap();
    let error = store.finish().unwrap_err().to_string();
    assert!(error.contains("1 attacks of the plan"), "{error}");
    assert!(!store.finished().unwrap());
    testdata::add_attack(&mut store, model, &sample.attack, &sample.outcomes, &[]);
    store.finish().unwrap();
    drop(store);
    assert!(RunStore::open(dir.path()).unwrap().finished().unwrap());
    let store = RunStore::replace(dir.path(), &testdata::provenance(), &sample.plan()).unwrap();
    assert!(!store.finished().unwrap(), "another run takes the place");
}

/// Would catch a value that is written or read in another place, order or precision.
#[test]
fn everything_reads_back_as_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = sample(200);
    for (outcome, i) in sample.outcomes.iter_mut().zip(0..) {
        outcome.round = i % 5;
        outcome.step = 100 - i % 7;
        outcome.forwards = u64::from(i) + (1 << 40);
        outcome.backwards = u64::from(i) * 3;
        outcome.margin = 0.1 / f64::from(i + 1);
        outcome.right = f64::from(i % 3) / 3.0;
    }
    let examples = [testdata::example(3), testdata::example(7)];
    let pictures = [testdata::picture(0), testdata::picture(3)];
    {
        let mut store = sample.create(dir.path());
        let model = store.add_model(&sample.model, &sample.clean).unwrap();
        store.add_pictures(&pictures).unwrap();
        store.add_pictures(&pictures[..1]).unwrap();
        testdata::add_attack(&mut store, model, &sample.attack, &sample.outcomes, &examples);
    }
    let store = RunStore::open(dir.path()).unwrap();
    assert_eq!(store.provenance().unwrap(), testdata::provenance());
    assert_eq!(store.plan(), &sample.plan());
    assert_eq!(store.pictures().unwrap(), pictures);
    let models = store.models().unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0].1, sample.model);
    assert_eq!(store.clean(models[0].0).unwrap(), sample.clean);
    let attacks = store.attacks(models[0].0).unwrap();
    assert_eq!(attacks.len(), 1);
    assert_eq!(attacks[0].1, sample.attack);
    let attack = attacks[0].0;
    assert_eq!(store.outcomes(attack).unwrap(), sample.outcomes);
    assert_eq!(store.examples(attack).unwrap(), examples);
    assert_eq!(store.example_indices(attack).unwrap(), [3, 7]);
    assert_eq!(store.example(attack, 7).unwrap().as_ref(), Some(&examples[1]));
    assert_eq!(store.example(attack, 4).unwrap(), None);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [FILE], "nothing else stays in the folder");
}

/// Would catch a nearest point that is lost, mixed up with what broke an image, taken at no distance, or taken
/// from an attack that does not look for any.
#[test]
fn nearest_points_are_kept_beside_what_broke_images() {
    let dir = tempfile::tempdir().unwrap();
    let mut sample = sample(20);
    {
        let (mut store, _, attack) = sample.under_way(dir.path());
        let error = store.record_nearest(attack, &[testdata::nearest(1)], &[]).unwrap_err();
        assert!(error.to_string().contains("an attack that is run for them"), "{error}");
    }
    sample.attack.goal = Goal::Nearest;
    let mut store = RunStore::replace(dir.path(), &testdata::provenance(), &sample.plan()).unwrap();
    let model = store.add_model(&sample.model, &sample.clean).unwrap();
    let attack = store.begin_attack(model, &sample.begun()).unwrap();
    let points = [testdata::nearest(3), testdata::nearest(7)];
    store.record_nearest(attack, &points, &[testdata::example(7)]).unwrap();
    let nearer = Nearest { distance: 1e-4, ..points[0] };
    store.record_nearest(attack, &[nearer], &[]).unwrap();
    let at_none = Nearest { distance: 0.0, ..points[0] };
    let error = store.record_nearest(attack, &[at_none], &[]).unwrap_err().to_string();
    assert!(error.contains("image 3: distance: expected a finite number above 0"), "{error}");
    let store = RunStore::open(dir.path()).unwrap();
    assert_eq!(store.nearest(attack).unwrap(), [nearer, points[1]]);
    assert_eq!(store.nearest_example(attack, 7).unwrap(), Some(testdata::example(7)));
    assert_eq!(store.nearest_example(attack, 3).unwrap(), None);
    assert_eq!(store.examples(attack).unwrap(), []);
    assert_eq!(store.outcomes(attack).unwrap(), []);
}

/// Would catch an audit that is lost, kept beside an older one or recorded of a run that is under way, and
/// stores from before there were audits being refused or read as audited.
#[test]
fn an_audit_is_kept_with_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(5);
    let (mut store, model, _) = sample.under_way(dir.path());
    let error = store.add_audit(model, &testdata::audit()).unwrap_err().to_string();
    assert!(error.contains("finished"), "{error}");
    drop(store);

    let mut store = testdata::store(&dir.path().join("whole"), 20);
    let model = store.models().unwrap()[0].0;
    assert_eq!(store.audit(model).unwrap(), None);
    store.connection.execute_batch("DROP TABLE audit").unwrap();
    assert_eq!(store.audit(model).unwrap(), None, "a store of before");
    let first = testdata::audit();
    store.add_audit(model, &first).unwrap();
    let second = AuditRecord { seconds: 2.5, ..first };
    store.add_audit(model, &second).unwrap();
    assert_eq!(store.audit(model).unwrap(), Some(second));
}

/// Would catch a run that goes on and does again what it had done, or takes half a unit for a
/// whole one, or keeps an old outcome where the same image is decided once more.
#[test]
fn a_run_that_was_broken_off_shows_how_far_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(200);
    let first = Unit { first: 64, round: 0 };
    {
        let (mut store, _, attack) = sample.under_way(dir.path());
        store.record(attack, &sample.outcomes[3..5], &[testdata::example(4)]).unwrap();
        let mut early = sample.outcomes[70];
        early.margin = 0.75;
        early.step = 2;
        store.record(attack, &[early], &[testdata::example(71)]).unwrap();
        store.finish_unit(attack, first, &sample.outcomes[64..128], &[]).unwrap();
        let again = [Example { pixels: vec![0.5; 3072], ..testdata::example(71) }];
        store.finish_unit(attack, first, &[], &again).unwrap();
    }
    let mut store = RunStore::open(dir.path()).unwrap();
    let (model, _) = store.models().unwrap()[0];
    let (attack, record) = store.attacks(model).unwrap().remove(0);
    assert!(!record.finished);
    assert_eq!(record, sample.begun());
    assert_eq!(store.units(attack).unwrap().into_iter().collect::<Vec<_>>(), [first]);
    let there = [&sample.outcomes[3..5], &sample.outcomes[64..128]].concat();
    assert_eq!(store.outcomes(attack).unwrap(), there);
    assert_eq!(store.example_indices(attack).unwrap(), [4, 71]);
    let replaced = store.example(attack, 71).unwrap().unwrap();
    assert!(replaced.pixels.iter().all(|&pixel| (pixel - 0.5).abs() < f32::EPSILON));
    // It goes on to the end.
    store.record(attack, &sample.outcomes, &[]).unwrap();
    store.finish_attack(attack, &sample.attack).unwrap();
    assert_eq!(store.attacks(model).unwrap()[0].1, sample.attack);
    assert_eq!(store.outcomes(attack).unwrap(), sample.outcomes);
}

/// Would catch attacks that come back in the order in which they were begun: what is left after
/// each of them is counted in the order of the plan.
#[test]
fn attacks_come_in_the_order_of_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let (model, clean) = testdata::model("resnet32", 20);
    let attacks: Vec<_> = [0.1, 0.2, 0.3]
        .into_iter()
        .zip(0..)
        .map(|(eps, stage)| {
            let (record, _) =
                testdata::attack_with(&clean, crate::record::LabelSource::True, eps, 0.5);
            AttackRecord { stage, attacked: 0, finished: false, ..record }
        })
        .collect();
    let plan = testdata::plan(20, &["resnet32"], &attacks);
    let mut store = RunStore::create(dir.path(), &testdata::provenance(), &plan).unwrap();
    let model = store.add_model(&model, &clean).unwrap();
    for stage in [2, 0, 1] {
        store.begin_attack(model, &attacks[stage]).unwrap();
    }
    let read: Vec<_> =
        store.attacks(model).unwrap().into_iter().map(|(_, record)| record).collect();
    assert_eq!(read, attacks);
}

/// Would catch a run that is lost because another was started into its folder.
#[test]
fn an_existing_run_is_replaced_only_on_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(5);
    sample.create(dir.path()).add_model(&sample.model, &sample.clean).unwrap();
    let (provenance, plan) = (testdata::provenance(), sample.plan());
    let error = RunStore::create(dir.path(), &provenance, &plan).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }));
    assert!(error.to_string().contains("--out"), "{error}");
    assert_eq!(RunStore::open(dir.path()).unwrap().models().unwrap().len(), 1);
    let store = RunStore::replace(dir.path(), &provenance, &plan).unwrap();
    assert!(store.models().unwrap().is_empty());

    fs::write(dir.path().join(FILE), "my thesis").unwrap();
    let error = RunStore::replace(dir.path(), &provenance, &plan).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert_eq!(fs::read(dir.path().join(FILE)).unwrap(), b"my thesis");
}

/// Would catch a file of another kind or version being read as if it were ours.
#[test]
fn other_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let error = RunStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }), "{error}");

    for content in [&b""[..], b"hello", &[0; 4096], b"SQLite format 3\0truncated"] {
        fs::write(&path, content).unwrap();
        let error = RunStore::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{content:?}: {error}");
    }
    fs::remove_file(&path).unwrap();

    for found in [1, 7] {
        let store = sample(5).create(dir.path());
        store.connection.pragma_update(None, "user_version", found).unwrap();
        drop(store);
        let error = RunStore::open(dir.path()).unwrap_err();
        assert!(
            matches!(error, StoreError::Version { expected: SCHEMA, found: f, .. } if f == found),
            "{error}"
        );
        assert!(error.to_string().contains("run the evaluation again"), "{error}");
        fs::remove_file(&path).unwrap();
    }
}

/// Would catch a run that the version before this one wrote being read half, or refused without a
/// way out: such a file has other tables and an arbitrary plan.
#[test]
fn a_run_of_schema_1_is_refused_with_a_remedy_and_can_be_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let old = Connection::open(dir.path().join(FILE)).unwrap();
    old.execute_batch(
        "CREATE TABLE run (id INTEGER PRIMARY KEY CHECK (id = 1), provenance TEXT NOT NULL, \
             plan TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0) STRICT; \
         INSERT INTO run VALUES (1, '{}', '{\"kind\": \"eval\"}', 1);",
    )
    .unwrap();
    old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    let error = RunStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Version { expected: 3, found: 1, .. }), "{error}");
    for word in ["schema 1", "schema 3", "version of resilience that wrote it"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    RunStore::replace(dir.path(), &testdata::provenance(), &sample(5).plan()).unwrap();
}

/// Would catch a folder argument that is a file.
#[test]
fn a_file_as_folder() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    RunStore::create(&file, &testdata::provenance(), &sample(5).plan()).unwrap_err();
    RunStore::open(&file).unwrap_err();
}

/// Would catch a prediction of the space that examples take which is of another order than the
/// space that they do take.
#[test]
fn the_space_of_examples_is_predicted() {
    for (shape, n) in [([3, 32, 32], 150), ([1, 28, 28], 150), ([3, 64, 64], 40), ([1, 4, 4], 190)]
    {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _, attack) = sample(200).under_way(dir.path());
        let size = || fs::metadata(dir.path().join(FILE)).unwrap().len();
        let before = size();
        let pixels = vec![0.25; shape.iter().product()];
        // In an order as images fall, each in its turn.
        let example = |i| Example { index: i * 7 % 200, shape, pixels: pixels.clone() };
        let examples: Vec<_> = (0..n).map(example).collect();
        store.record(attack, &[], &examples).unwrap();
        let (predicted, took) = (example_bytes(shape, n), size() - before);
        let ratio = predicted as f64 / took as f64;
        assert!((0.8..1.25).contains(&ratio), "{shape:?}: {predicted} predicted, {took} taken");
    }
}
