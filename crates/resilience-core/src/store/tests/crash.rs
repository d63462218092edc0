//! What a crash, a full disk, another process or a read-only place leave.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

/// This test once more, in a process of its own that finds the folder in the environment.
fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = format!("store::tests::crash::{test}");
    command.args(["--exact", &name, "--nocapture"]).env(CHILD, dir);
    command
}

const CHILD: &str = "RESILIENCE_STORE_TEST_CHILD";

/// Would catch half a unit in the store after an error in the middle of its rows.
#[test]
fn a_full_disk_leaves_the_store_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(2000);
    let (mut store, _, attack) = sample.under_way(dir.path());
    store.record(attack, &sample.outcomes[..10], &[]).unwrap();
    let pages: i64 =
        store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.connection.pragma_update(None, "max_page_count", pages + 2).unwrap();
    let unit = Unit { first: 0, round: 0 };
    let error = store.finish_unit(attack, unit, &sample.outcomes, &[]).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    drop(store);
    let mut store = RunStore::open(dir.path()).unwrap();
    assert_eq!(store.outcomes(attack).unwrap(), sample.outcomes[..10]);
    assert!(store.units(attack).unwrap().is_empty());
    store.finish_unit(attack, unit, &sample.outcomes, &[]).unwrap();
}

/// Would catch a store that a killed process leaves unreadable, or that lost what was recorded
/// before: a child dies in the middle of its transaction, with part of it already on disk.
#[test]
fn a_killed_writer_leaves_a_valid_file() {
    let sample = sample(500);
    let done = Unit { first: 0, round: 0 };
    if let Some(dir) = std::env::var_os(CHILD) {
        let mut store = RunStore::open(Path::new(&dir)).unwrap();
        let model = store.models().unwrap()[0].0;
        let attack = store.attacks(model).unwrap()[0].0;
        store.finish_unit(attack, done, &sample.outcomes[..64], &[testdata::example(3)]).unwrap();
        // A tiny cache makes SQLite spill unfinished pages into the file.
        store.connection.pragma_update(None, "cache_size", 5).unwrap();
        let transaction = store.connection.transaction().unwrap();
        transaction.execute("UPDATE model SET record = 'half'", []).unwrap();
        transaction.execute("UPDATE outcome SET margin = 0.5", []).unwrap();
        for index in 0..50_000 {
            let row = rusqlite::params![1, index + 1_000_000, 0, 0, 0.5, 1.0];
            let insert = "INSERT INTO clean VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            transaction.execute(insert, row).unwrap();
        }
        std::process::abort();
    }
    let dir = tempfile::tempdir().unwrap();
    let (_, _, attack) = sample.under_way(dir.path());
    let status = child("a_killed_writer_leaves_a_valid_file", dir.path()).output().unwrap().status;
    assert!(!status.success());
    assert!(dir.path().join(format!("{FILE}-journal")).exists(), "the child died in the middle");
    let store = RunStore::open(dir.path()).unwrap();
    let models = store.models().unwrap();
    assert_eq!(models[0].1, sample.model);
    assert_eq!(store.clean(models[0].0).unwrap(), sample.clean);
    assert_eq!(store.outcomes(attack).unwrap(), sample.outcomes[..64]);
    assert_eq!(store.example_indices(attack).unwrap(), [3]);
    assert!(store.units(attack).unwrap().contains(&done));
}

/// Would catch a second writer that corrupts the file, an error that does not say why, or a
/// reader that has to wait for a writer.
#[test]
fn while_another_process_writes_the_store_can_be_read_only() {
    if let Some(dir) = std::env::var_os(CHILD) {
        let store = RunStore::open(Path::new(&dir)).unwrap();
        store.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        #[expect(clippy::print_stdout, reason = "tells the other process that it holds the lock")]
        {
            println!("\nlocked");
        }
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(5);
    let mut store = sample.create(dir.path());
    let mut other = child("while_another_process_writes_the_store_can_be_read_only", dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "locked"));
    store.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
    let error = store.add_model(&sample.model, &sample.clean).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    let error = RunStore::replace(dir.path(), &testdata::provenance(), &sample.plan()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert!(RunStore::open(dir.path()).unwrap().models().unwrap().is_empty());
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
    store.add_model(&sample.model, &sample.clean).unwrap();
}

/// Would catch two runs that are started into one folder at once and take each other's file.
#[test]
fn of_many_that_create_at_once_one_has_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let plan = sample(5).plan();
    let create = || RunStore::create(dir.path(), &testdata::provenance(), &plan).map(|_| ());
    let results: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for error in results.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::Exists { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Would catch a read-only place that is reported as something else, or a report that needs to
/// write where it only reads.
#[cfg(unix)]
#[test]
fn read_only_places() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(5);
    let (store, _, attack) = sample.under_way(dir.path());
    drop(store);
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
        let error = store.record(attack, &sample.outcomes, &[]).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
        let below = dir.path().join("new");
        let error = RunStore::create(&below, &testdata::provenance(), &sample.plan()).unwrap_err();
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    }
    mode(dir.path(), 0o755);
}
