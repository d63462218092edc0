//! The log of a training run: what it writes, read back by other code, and beside a file that
//! TensorBoard's own writer wrote.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod reader;

use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use reader::What;
use resilience_core::record::{EpochRecord, ValidationRecord};
use resilience_core::training_log::{Header, Scalars, TrainingLog, TrainingLogError};
use serde_json::Value;
use tempfile::TempDir;

/// When the logs of these tests are begun; an epoch takes ten seconds.
const BEGAN: f64 = 1_700_000_000.25;

const HEADER: Header =
    Header { name: "resnet32", version: "0.1.0", wall_time: BEGAN, settings: &[] };

fn epoch(epoch: u32) -> EpochRecord {
    let t = f64::from(epoch);
    EpochRecord {
        epoch,
        of: 3,
        loss: 2.0 / t,
        scalars: vec![("clean_loss".to_owned(), 1.0 / t)],
        learning_rate: 0.1,
        validation: Some(ValidationRecord { n: 1000, clean: 0.5, fgsm: 0.3, pgd: 0.25 }),
        passes: 0.0,
        seconds: 10.0,
        images_per_second: 5000.0,
    }
}

fn scalars(record: &EpochRecord) -> Scalars {
    Scalars::of_epoch(record, BEGAN + 10.0 * f64::from(record.epoch))
}

fn past(epochs: u32) -> impl Iterator<Item = (EpochRecord, Scalars)> {
    (1..=epochs).map(epoch).map(|record| (record.clone(), scalars(&record)))
}

fn places(folder: &TempDir) -> (PathBuf, PathBuf) {
    (folder.path().join("log.jsonl"), folder.path().join("tensorboard/run"))
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "the last line is cut short: {text}");
    text.lines().map(str::to_owned).collect()
}

fn event_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

fn only_event_file(folder: &Path) -> Vec<u8> {
    let files = event_files(folder);
    assert_eq!(files.len(), 1, "{files:?}");
    fs::read(&files[0]).unwrap()
}

/// Would catch an epoch that is held back in a buffer, a line that does not parse, and events that
/// differ from the record.
#[test]
fn every_epoch_can_be_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (jsonl, tensorboard) = places(&folder);
    let settings = [("batch".to_owned(), "128".to_owned())];
    let header = Header { settings: &settings, ..HEADER };
    let mut log = TrainingLog::begin(&jsonl, &tensorboard, &header, past(0)).unwrap();
    for n in 1..=3 {
        log.append(&epoch(n), &scalars(&epoch(n))).unwrap();

        let lines = lines(&jsonl);
        let first: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(
            (&first["name"], &first["settings"]["batch"]),
            (&"resnet32".into(), &"128".into())
        );
        let read = lines[1..].iter().map(|line| serde_json::from_str(line).unwrap());
        assert_eq!(read.collect::<Vec<EpochRecord>>(), (1..=n).map(epoch).collect::<Vec<_>>());

        let events = reader::events(&only_event_file(&tensorboard));
        assert_eq!(events[0], (BEGAN, 0, What::Version("brain.Event:2".to_owned())));
        let expected = past(n).flat_map(|(_, scalars)| {
            let at = (scalars.wall_time, scalars.step);
            let event = move |(tag, value)| (at.0, at.1, What::Scalar(tag, value as f32));
            scalars.values.into_iter().map(event)
        });
        assert_eq!(events[1..], expected.collect::<Vec<_>>());
    }
}

/// Would catch epochs that a resumed run shows twice, or that are lost, a half line that a crash
/// left, and the removal of another program's curves.
#[test]
fn resumed_log_is_that_of_an_unbroken_run() {
    let (broken, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (jsonl, tensorboard) = places(&broken);
    // The second epoch was logged, but is in no checkpoint; the third left half a line.
    let mut log = TrainingLog::begin(&jsonl, &tensorboard, &HEADER, past(2)).unwrap();
    drop(log);
    fs::write(&jsonl, fs::read_to_string(&jsonl).unwrap() + "{\"epoch\":3,").unwrap();
    let other = tensorboard.join("events.out.tfevents.1600000000.myhost.7.0");
    fs::write(&other, b"another program's").unwrap();

    log = TrainingLog::begin(&jsonl, &tensorboard, &HEADER, past(1)).unwrap();
    for n in 2..=3 {
        log.append(&epoch(n), &scalars(&epoch(n))).unwrap();
    }
    let (unbroken_jsonl, unbroken_tensorboard) = places(&whole);
    TrainingLog::begin(&unbroken_jsonl, &unbroken_tensorboard, &HEADER, past(3)).unwrap();
    assert_eq!(lines(&jsonl), lines(&unbroken_jsonl));
    assert_eq!(event_files(&tensorboard).len(), 2);
    assert!(other.exists());
    fs::remove_file(other).unwrap();
    assert_eq!(only_event_file(&tensorboard), only_event_file(&unbroken_tensorboard));
}

/// Would catch a number that JSON does not know and that makes a line unreadable, or that
/// TensorBoard is not told.
#[test]
fn what_is_not_a_number_is_null_and_nan() {
    let folder = tempfile::tempdir().unwrap();
    let (jsonl, tensorboard) = places(&folder);
    let record = EpochRecord { loss: f64::NAN, ..epoch(1) };
    TrainingLog::begin(&jsonl, &tensorboard, &HEADER, [(&record, scalars(&record))]).unwrap();
    let line: Value = serde_json::from_str(&lines(&jsonl)[1]).unwrap();
    assert_eq!(line["loss"], Value::Null);
    let events = reader::events(&only_event_file(&tensorboard));
    let What::Scalar(tag, value) = &events[1].2 else { panic!("{events:?}") };
    assert!(tag == "loss/total" && value.is_nan(), "{events:?}");
}

/// Would catch places that cannot be written and are passed over, or an error that does not say
/// which and why.
#[test]
fn errors_name_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let (jsonl, tensorboard) = places(&folder);
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let begin = |jsonl: &Path, tensorboard: &Path| -> TrainingLogError {
        let none = iter::empty::<(EpochRecord, Scalars)>();
        TrainingLog::begin(jsonl, tensorboard, &HEADER, none).unwrap_err()
    };
    let no_folder = folder.path().join("none/log.jsonl");
    for (error, place, why) in [
        (begin(&no_folder, &tensorboard), &no_folder, "folder does not exist"),
        (begin(&tensorboard, &tensorboard), &tensorboard, "in the way"),
        (begin(&jsonl, &file), &file, "choose a folder"),
        (begin(&jsonl, &file.join("run")), &file.join("run"), "choose a folder"),
    ] {
        let text = error.to_string();
        assert!(text.contains(&place.display().to_string()) && text.contains(why), "{text}");
    }
    assert!(!jsonl.exists(), "a file was left without its other half");
}

/// Would catch any byte in which we and TensorBoard's own writer differ, save the writer's name; and
/// a reader of these tests that agrees with nobody but us.
#[test]
fn same_bytes_as_summary_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (jsonl, tensorboard) = places(&folder);
    let scalars = |step, wall_time, values: &[(&str, f64)]| {
        let values = values.iter().map(|(tag, value)| ((*tag).to_owned(), *value)).collect();
        Scalars { step, wall_time, values }
    };
    let first = [("loss/total", 2.25), ("accuracy/validation_pgd", 0.1)];
    let second = [
        ("loss/total", f64::NAN),
        ("accuracy/validation_pgd", 0.0),
        ("learning_rate", 1e-3),
        ("images_per_second", f64::INFINITY),
    ];
    let past = [("one", scalars(1, 1_700_000_010.5, &first))];
    let mut log = TrainingLog::begin(&jsonl, &tensorboard, &HEADER, past).unwrap();
    log.append(&"two", &scalars(2, 1_700_000_021.0, &second)).unwrap();

    let golden = include_bytes!("../golden/tensorboard/events.golden");
    let ours = only_event_file(&tensorboard);
    assert_eq!(reader::records(&ours)[1..], reader::records(golden)[1..]);
    assert_eq!(reader::events(&ours)[0], reader::events(golden)[0]);
}
