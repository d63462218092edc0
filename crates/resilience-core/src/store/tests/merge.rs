//! Shards and the whole that they make.

use rusqlite::types::Value;

use super::*;
use crate::plan::Shard;
use crate::record::{Goal, LabelSource};
use crate::store::MergeError;

const N: usize = 300;

/// Two models, two attacks on all images and one on the first fifty.
fn plan() -> Plan {
    let (_, clean) = testdata::model("any", N);
    let attacks: Vec<_> = attacks(&clean).into_iter().map(|(record, _)| record).collect();
    testdata::plan(N, &["one", "two"], &attacks)
}

fn attacks(clean: &[CleanOutcome]) -> Vec<(AttackRecord, Vec<AttackOutcome>)> {
    let mut attacks = vec![
        testdata::attack_with(clean, LabelSource::True, 0.1, 0.4),
        testdata::attack_with(clean, LabelSource::Predicted, 0.1, 0.3),
        testdata::attack_with(&clean[..50], LabelSource::True, 0.05, 0.6),
    ];
    for (stage, (record, _)) in (0..).zip(&mut attacks) {
        record.stage = stage;
    }
    attacks[1].0.goal = Goal::Nearest;
    attacks
}

/// Carries out a shard of that run.
fn run(dir: &Path, plan: &Plan) -> RunStore {
    let images = plan.shard.images(N as u64, plan.block);
    let mine = |index: u64| images.contains(&index);
    let mut store = RunStore::create(dir, &testdata::provenance(), plan).unwrap();
    store.synchronise("OFF").unwrap();
    for name in ["one", "two"] {
        let (record, clean) = testdata::model_with(name, N, 0.8);
        let here: Vec<_> = clean.iter().filter(|c| mine(c.index)).copied().collect();
        let model = store.add_model(&record, &here).unwrap();
        for (record, mut outcomes) in attacks(&clean) {
            outcomes.retain(|outcome| mine(outcome.index));
            let attacked = outcomes.len() as u64;
            let begun = AttackRecord { attacked: 0, finished: false, ..record.clone() };
            let attack = store.begin_attack(model, &begun).unwrap();
            for group in outcomes.chunks(plan.block as usize) {
                let unit = Unit { first: group[0].index, round: 0 };
                let kept =
                    group.iter().filter(|o| o.right < 0.5).map(|o| testdata::example(o.index));
                let kept: Vec<_> = kept.collect();
                store.finish_unit(attack, unit, group, &kept).unwrap();
                if record.goal == Goal::Nearest {
                    let points = kept.iter().map(|example| testdata::nearest(example.index));
                    store.record_nearest(attack, &points.collect::<Vec<_>>(), &kept).unwrap();
                }
            }
            let end = AttackRecord {
                attacked,
                forwards: outcomes.iter().map(|outcome| outcome.forwards).sum(),
                backwards: attacked,
                seconds: attacked as f64 * 0.001,
                ..record
            };
            store.finish_attack(attack, &end).unwrap();
        }
    }
    let shown = [0, 70, 299].into_iter().filter(|&index| mine(index)).map(testdata::picture);
    store.add_pictures(&shown.collect::<Vec<_>>()).unwrap();
    store.finish().unwrap();
    store
}

const TABLES: [&str; 10] = [
    "run",
    "picture",
    "model",
    "clean",
    "attack",
    "outcome",
    "unit",
    "example",
    "nearest",
    "nearest_example",
];

/// Every row of every table, seconds apart.
fn rows(store: &RunStore) -> Vec<(&'static str, Vec<Value>)> {
    let mut all = Vec::new();
    for table in TABLES {
        let mut statement = store.connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let mut row: Vec<Value> = (0..columns).map(|i| row.get(i).unwrap()).collect();
            if table == "attack" {
                let Some(Value::Text(json)) = row.last_mut() else { panic!("no record") };
                let record: AttackRecord = serde_json::from_str(json).unwrap();
                let record = AttackRecord { seconds: 0.0, ..record };
                *json = serde_json::to_string(&record).unwrap();
            }
            all.push((table, row));
        }
    }
    all
}

struct Shards {
    root: tempfile::TempDir,
    dirs: Vec<PathBuf>,
}

impl Shards {
    fn new(of: u64) -> Self {
        Self::with(of, |plan| plan)
    }

    /// The shards of that run, with their plans changed.
    fn with(of: u64, change: impl Fn(Plan) -> Plan) -> Self {
        let root = tempfile::tempdir().unwrap();
        let dirs: Vec<_> =
            (1..=of).map(|index| root.path().join(format!("shard-{index}"))).collect();
        for (dir, index) in dirs.iter().zip(1..) {
            run(dir, &change(Plan { shard: Shard { index, of }, ..plan() }));
        }
        Self { root, dirs }
    }

    fn out(&self) -> PathBuf {
        self.root.path().join("whole")
    }

    fn merge(&self, dirs: &[PathBuf]) -> Result<RunStore, MergeError> {
        merge(dirs, &self.out(), &testdata::provenance())
    }

    /// Merging must fail with these words, and leave nothing behind.
    fn refused(&self, dirs: &[PathBuf], words: &[&str]) -> MergeError {
        let error = self.merge(dirs).unwrap_err();
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}: expected {words:?}");
        let left = fs::read_dir(self.out()).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{text}: something is left in the folder");
        error
    }
}

/// Would catch a shard's images that are lost, doubled, mixed up or summed wrongly: what is merged
/// is what a run without shards holds, row by row and bit by bit. With nine shards of five blocks,
/// some have no image at all.
#[test]
fn the_whole_is_what_one_run_would_hold() {
    let single = tempfile::tempdir().unwrap();
    let single = run(single.path(), &plan());
    for of in [1, 3, 9] {
        let shards = Shards::new(of);
        let mut dirs = shards.dirs.clone();
        dirs.reverse();
        let whole = shards.merge(&dirs).unwrap();
        assert!(whole.finished().unwrap());
        assert_eq!(whole.plan().shard, Shard::WHOLE);
        let (expected, got) = (rows(&single), rows(&whole));
        assert_eq!(expected.len(), got.len(), "{of} shards");
        for (expected, got) in expected.iter().zip(&got) {
            assert_eq!(expected, got, "{of} shards");
        }
        let seconds = |store: &RunStore| store.attacks(ModelId(1)).unwrap()[0].1.seconds;
        assert!((seconds(&single) - seconds(&whole)).abs() < 1e-9);
        let left: Vec<_> = fs::read_dir(shards.out()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

/// Would catch a whole with holes or doubled images being passed off as a run.
#[test]
fn what_is_no_whole_is_refused() {
    let shards = Shards::new(4);
    let [one, two, three, four] = &shards.dirs[..] else { panic!("four shards") };
    let dirs = |dirs: &[&PathBuf]| dirs.iter().map(|dir| (*dir).clone()).collect::<Vec<_>>();
    shards.refused(&[], &["name the folders"]);
    shards.refused(&dirs(&[one, three]), &["2/4, 4/4", "--shard"]);
    shards.refused(&dirs(&[one, two, three, four, two]), &["shard-2", "both shard 2/4"]);
    let nothing = shards.root.path().join("nothing");
    shards.refused(&dirs(&[one, &nothing]), &["nothing", "does not exist"]);
    let halves = Shards::new(2);
    let other = shards.refused(&dirs(&[one, &halves.dirs[1]]), &["one of 2", "one of 4"]);
    assert!(matches!(other, MergeError::OtherShards { .. }));
    let open = RunStore::open(two).unwrap();
    open.connection.execute("UPDATE run SET finished = 0", []).unwrap();
    shards.refused(&shards.dirs, &["shard-2", "not finished", "--resume"]);
    open.connection.execute("UPDATE run SET finished = 1", []).unwrap();
    let error = merge(&shards.dirs, three, &testdata::provenance()).unwrap_err();
    assert!(matches!(error, MergeError::Exists { .. }), "{error}");
    assert!(error.to_string().contains("--out"), "{error}");
    shards.merge(&shards.dirs).unwrap();
}

/// Would catch shards of different runs being put together; how fast each machine was does not
/// count.
#[test]
fn shards_of_other_runs_are_refused_by_what_differs() {
    for (change, words) in [
        ((|plan| plan.seed = 1) as fn(&mut Plan), ["the plan: seed", "expected 0, got 1"]),
        (|plan| plan.threads = 9, ["the plan: threads", "got 9"]),
        (
            |plan| plan.models[1].weights_sha256 = "cd".repeat(32),
            ["models[1].weights_sha256", "cd"],
        ),
        (
            |plan| plan.stages[2].settings = serde_json::json!({"steps": 5}),
            ["stages[2].settings.steps", "expected null, got 5"],
        ),
        (|plan| drop(plan.dataset.classes.pop()), ["dataset.classes", "9 entries"]),
    ] {
        let shards = Shards::with(2, |mut plan| {
            if plan.shard.index == 2 {
                change(&mut plan);
            }
            plan
        });
        let error = shards.refused(&shards.dirs, &words);
        assert!(matches!(error, MergeError::Differs { .. }), "{error}");
        assert!(error.to_string().contains("shard-1"), "{error}");
    }
    let shards = Shards::with(2, |mut plan| {
        plan.models[0].forward_seconds = plan.shard.index as f64;
        plan.models[1].backward_seconds = plan.shard.index as f64;
        plan.models[0].reference_forward_seconds = plan.shard.index as f64;
        plan.models[1].reference_backward_seconds = plan.shard.index as f64;
        plan
    });
    shards.merge(&shards.dirs).unwrap();
}

/// Would catch records that say different things of what should be one model or one attack, and
/// a hole in a shard that says it is finished.
#[test]
fn records_that_differ_or_are_missing_are_named() {
    for (sql, words) in [
        (
            "UPDATE model SET record = replace(record, 'a publication', 'a friend') WHERE id = 2",
            ["model 'two': source", "a friend"],
        ),
        (
            "UPDATE attack SET record = replace(record, '\"settings\":{}', '\"settings\":{\"a\":1}') \
             WHERE id = 5",
            ["the attack at stage 1: settings.a", "expected null, got 1"],
        ),
        ("DELETE FROM clean WHERE model = 2 AND \"index\" = 200", ["model 2", "damaged"]),
        ("UPDATE outcome SET margin = 9e999 WHERE \"index\" = 200", ["image 200", "damaged"]),
    ] {
        let shards = Shards::new(2);
        let store = RunStore::open(&shards.dirs[1]).unwrap();
        assert!(store.connection.execute(sql, []).unwrap() > 0, "{sql}");
        shards.refused(&shards.dirs, &[words[0], words[1], "shard-2"]);
    }
    let shards = Shards::new(2);
    let store = RunStore::open(&shards.dirs[1]).unwrap();
    let holes = "DELETE FROM outcome WHERE attack = 6; DELETE FROM unit WHERE attack = 6; \
                 DELETE FROM example WHERE attack = 6; DELETE FROM attack WHERE id = 6;";
    store.connection.execute_batch(holes).unwrap();
    shards.refused(&shards.dirs, &["shard-2", "stage 2", "not in it"]);
}

/// Would catch an attack that failed in one shard counting as carried through in the whole, or as
/// an error.
#[test]
fn an_attack_that_failed_in_a_shard_failed_as_a_whole() {
    let shards = Shards::new(2);
    let store = RunStore::open(&shards.dirs[1]).unwrap();
    let fail = "UPDATE attack SET record = replace(record, '\"finished\":true', \
                '\"finished\":false') WHERE id = 1";
    assert_eq!(store.connection.execute(fail, []).unwrap(), 1);
    let whole = shards.merge(&shards.dirs).unwrap();
    let finished: Vec<_> =
        whole.attacks(ModelId(1)).unwrap().iter().map(|(_, record)| record.finished).collect();
    assert_eq!(finished, [false, true, true]);
}
