//! The store under good and bad use.

use std::process::Command;

use super::*;
use crate::record::{AttackOutcome, CleanOutcome, Example};
use crate::testdata;

fn new(dir: &Path) -> RunStore {
    RunStore::create(dir, &testdata::provenance(), &serde_json::json!({"epochs": 5})).unwrap()
}

/// Would catch a run that was broken off being taken for a complete one, or the mark being lost.
#[test]
fn only_a_finished_run_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = new(dir.path());
    let (record, clean) = testdata::model("resnet32", 5);
    store.add_model(&record, &clean).unwrap();
    assert!(!store.finished().unwrap());
    store.finish().unwrap();
    drop(store);
    assert!(RunStore::open(dir.path()).unwrap().finished().unwrap());
    let store =
        RunStore::replace(dir.path(), &testdata::provenance(), &serde_json::Value::Null).unwrap();
    assert!(!store.finished().unwrap(), "another run takes the place");
}

/// Would catch a value that is written or read in another place, order or precision.
#[test]
fn everything_reads_back_as_written() {
    let dir = tempfile::tempdir().unwrap();
    let (record, clean) = testdata::model("resnet32", 200);
    let (attack, outcomes) = testdata::attack(&clean);
    let example = Example {
        index: 3,
        shape: [3, 2, 2],
        clean: (0..12).map(|i| i as f32 / 12.0).collect(),
        adversarial: (0..12).map(|i| i as f32 / 13.0).collect(),
    };
    {
        let mut store = new(dir.path());
        let model = store.add_model(&record, &clean).unwrap();
        store.add_attack(model, &attack, &outcomes, std::slice::from_ref(&example)).unwrap();
    }
    let store = RunStore::open(dir.path()).unwrap();
    assert_eq!(store.provenance().unwrap(), testdata::provenance());
    assert_eq!(store.plan().unwrap(), serde_json::json!({"epochs": 5}));
    let models = store.models().unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0].1, record);
    assert_eq!(store.clean(models[0].0).unwrap(), clean);
    let attacks = store.attacks(models[0].0).unwrap();
    assert_eq!(attacks[0].1, attack);
    assert_eq!(store.outcomes(attacks[0].0).unwrap(), outcomes);
    assert_eq!(store.examples(attacks[0].0).unwrap(), [example]);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, [FILE], "nothing else stays in the folder");
}

/// Would catch a run that is lost because another was started into its folder.
#[test]
fn an_existing_run_is_replaced_only_on_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let (record, clean) = testdata::model("resnet32", 5);
    new(dir.path()).add_model(&record, &clean).unwrap();
    let error = RunStore::create(dir.path(), &testdata::provenance(), &serde_json::Value::Null)
        .unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }));
    assert!(error.to_string().contains("--out"), "{error}");
    assert_eq!(RunStore::open(dir.path()).unwrap().models().unwrap().len(), 1);
    let store =
        RunStore::replace(dir.path(), &testdata::provenance(), &serde_json::Value::Null).unwrap();
    assert!(store.models().unwrap().is_empty());

    fs::write(dir.path().join(FILE), "my thesis").unwrap();
    let error = RunStore::replace(dir.path(), &testdata::provenance(), &serde_json::Value::Null)
        .unwrap_err();
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

    let store = new(dir.path());
    store.connection.pragma_update(None, "user_version", 7).unwrap();
    drop(store);
    let error = RunStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Version { expected: SCHEMA, found: 7, .. }), "{error}");
}

/// Would catch half an attack in the store after an error in the middle of its rows.
#[test]
fn a_full_disk_leaves_the_store_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = new(dir.path());
    let (record, clean) = testdata::model("resnet32", 2000);
    let model = store.add_model(&record, &clean).unwrap();
    let pages: i64 =
        store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
    let (attack, outcomes) = testdata::attack(&clean);
    let error = store.add_attack(model, &attack, &outcomes, &[]).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    drop(store);
    let mut store = RunStore::open(dir.path()).unwrap();
    let model = store.models().unwrap()[0].0;
    assert_eq!(store.attacks(model).unwrap(), []);
    store.add_attack(model, &attack, &outcomes, &[]).unwrap();
}

/// Would catch a second writer that corrupts the file, or an error that does not say why.
#[test]
fn a_locked_store_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = new(dir.path());
    let other = RunStore::open(dir.path()).unwrap();
    other.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let (record, clean) = testdata::model("resnet32", 5);
    let error = store.add_model(&record, &clean).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
}

/// Would catch a read-only place that is reported as something else, or a report that needs to
/// write where it only reads.
#[cfg(unix)]
#[test]
fn read_only_places() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (record, clean) = testdata::model("resnet32", 5);
    new(dir.path()).add_model(&record, &clean).unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&dir.path().join(FILE), 0o444);
    mode(dir.path(), 0o555);
    // Root may write anywhere, so that there is nothing to see for it.
    let writable = fs::write(dir.path().join("probe"), "").is_ok();
    if writable {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED read_only_places: this user may write anywhere");
        }
    } else {
        let mut store = RunStore::open(dir.path()).unwrap();
        assert_eq!(store.models().unwrap().len(), 1);
        let error = store.add_model(&record, &clean).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        let below = dir.path().join("new");
        let error = RunStore::create(&below, &testdata::provenance(), &serde_json::Value::Null)
            .unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    }
    mode(dir.path(), 0o755);
}

/// Would catch a folder argument that is a file.
#[test]
fn a_file_as_folder() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    RunStore::create(&file, &testdata::provenance(), &serde_json::Value::Null).unwrap_err();
    RunStore::open(&file).unwrap_err();
}

/// Would catch evidence with holes: a missing sample, a NaN, a pixel too few.
#[test]
fn what_is_no_evidence_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = new(dir.path());
    let (record, clean) = testdata::model("resnet32", 10);
    let (attack, outcomes) = testdata::attack(&clean);
    assert!(store.add_model(&record, &clean[..9]).is_err(), "a sample is missing");
    let mut broken: Vec<CleanOutcome> = clean.clone();
    broken.swap(3, 4);
    assert!(store.add_model(&record, &broken).is_err(), "another order");
    broken = clean.clone();
    broken[2].confidence = f64::NAN;
    assert!(store.add_model(&record, &broken).is_err(), "not a number");
    let mut infinite = record.clone();
    infinite.std[0] = f64::INFINITY;
    assert!(store.add_model(&infinite, &clean).is_err(), "no JSON number");
    assert!(store.models().unwrap().is_empty());

    let model = store.add_model(&record, &clean).unwrap();
    let mut far: Vec<AttackOutcome> = outcomes.clone();
    far[9].distance = f64::INFINITY;
    assert!(store.add_attack(model, &attack, &far, &[]).is_err());
    let example =
        Example { index: 0, shape: [3, 2, 2], clean: vec![0.0; 12], adversarial: vec![0.0; 11] };
    assert!(store.add_attack(model, &attack, &outcomes, &[example]).is_err());
    assert!(store.add_attack(ModelId(99), &attack, &outcomes, &[]).is_err(), "no such model");
    assert!(store.attacks(model).unwrap().is_empty());
}

/// Would catch a store that a killed process leaves unreadable: a child dies in the middle of
/// its transaction, with part of it already on disk.
#[test]
fn a_killed_writer_leaves_a_valid_file() {
    const CHILD: &str = "RESILIENCE_STORE_TEST_CHILD";
    if let Some(dir) = std::env::var_os(CHILD) {
        let mut store = RunStore::open(Path::new(&dir)).unwrap();
        // A tiny cache makes SQLite spill unfinished pages into the file.
        store.connection.pragma_update(None, "cache_size", 5).unwrap();
        let transaction = store.connection.transaction().unwrap();
        transaction.execute("UPDATE model SET record = 'half'", []).unwrap();
        for index in 0..50_000 {
            let row = rusqlite::params![1, index + 1_000_000, 0, 0, 0.5];
            transaction.execute("INSERT INTO clean VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
        }
        std::process::abort();
    }
    let dir = tempfile::tempdir().unwrap();
    let (record, clean) = testdata::model("resnet32", 500);
    new(dir.path()).add_model(&record, &clean).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::a_killed_writer_leaves_a_valid_file"])
        .env(CHILD, dir.path())
        .output()
        .unwrap()
        .status;
    assert!(!status.success());
    assert!(dir.path().join(format!("{FILE}-journal")).exists(), "the child died in the middle");
    let store = RunStore::open(dir.path()).unwrap();
    let models = store.models().unwrap();
    assert_eq!(models[0].1, record);
    assert_eq!(store.clean(models[0].0).unwrap(), clean);
}

/// Would catch damage inside a record that is read as something else.
#[test]
fn damaged_records_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = new(dir.path());
    let (record, clean) = testdata::model("resnet32", 5);
    store.add_model(&record, &clean).unwrap();
    store.connection.execute("UPDATE model SET record = '{\"name\": 1}'", []).unwrap();
    let error = store.models().unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged { what, .. } if what.contains("model 1")),
        "{error}"
    );
}
