//! What other programs will read.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;

use super::*;
use crate::plan::Plan;
use crate::record::{AttackRecord, Example, LabelSource};
use crate::store::RunStore;
use crate::testdata;

/// Two attacks on the same images, of which the second has the smaller eps. Of images 0 to 3, which
/// are right, the first breaks 0, 1 and 3, the second 1 and 2; 4 is wrong from the start. The
/// example of image 3 was not kept.
fn small_run(dir: &Path) -> RunStore {
    let (mut model, mut clean) = testdata::model("a \"net\", with commas", 5);
    model.name.push_str("\nand lines");
    for c in &mut clean {
        c.predicted = if c.index == 4 { (c.label + 1) % 10 } else { c.label };
        c.right = f64::from(u8::from(c.index != 4));
    }
    let attacks: Vec<_> = [(0.1, [0, 1, 3, 4].as_slice()), (0.05, &[1, 2, 4])]
        .into_iter()
        .zip(0..)
        .map(|((eps, broken), stage)| {
            let (record, mut outcomes) = testdata::attack_with(&clean, LabelSource::True, eps, 1.0);
            for outcome in &mut outcomes {
                let label = clean[outcome.index as usize].label;
                let hit = broken.contains(&outcome.index);
                outcome.predicted = if hit { (label + 1) % 10 } else { label };
                outcome.right = f64::from(u8::from(!hit));
                outcome.margin = if hit { -0.1 } else { 0.1 } / 3.0;
            }
            let kept = broken.iter().filter(|&&index| index != 3);
            let kept: Vec<_> = kept.map(|&index| example(index, stage)).collect();
            (AttackRecord { stage, ..record }, outcomes, kept)
        })
        .collect();
    let records: Vec<_> = attacks.iter().map(|(record, ..)| record.clone()).collect();
    let plan = testdata::plan(5, &[&model.name], &records);
    let mut store = RunStore::create(dir, &testdata::provenance(), &plan).unwrap();
    let id = store.add_model(&model, &clean).unwrap();
    for (record, outcomes, kept) in &attacks {
        testdata::add_attack(&mut store, id, record, outcomes, kept);
    }
    store.finish().unwrap();
    store
}

/// Pixels that tell where they come from.
fn example(index: u64, stage: u64) -> Example {
    let pixels = (0..12).map(|i| (index * 100 + stage * 20 + i) as f32 / 512.0).collect();
    Example { index, shape: [3, 2, 2], pixels }
}

/// Would catch a column of other values than its name says, a number that does not read back, and
/// a name that breaks the lines.
#[test]
fn csv_has_every_outcome_under_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = small_run(dir.path());
    let path = dir.path().join("outcomes.csv");
    assert_eq!(csv(&store, &path).unwrap(), 10);
    let mut reader = ::csv::Reader::from_path(&path).unwrap();
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 10);
    let cell = |row: usize, name: &str| {
        let column = header.iter().position(|column| column == name).unwrap();
        rows[row].get(column).unwrap().to_owned()
    };
    let (id, model) = store.models().unwrap().remove(0);
    let clean = store.clean(id).unwrap();
    let mut row = 0;
    for (attack, record) in store.attacks(id).unwrap() {
        for outcome in store.outcomes(attack).unwrap() {
            let number = |name: &str| cell(row, name).parse::<f64>().unwrap().to_bits();
            assert_eq!(cell(row, "model"), model.name);
            assert_eq!(cell(row, "stage"), record.stage.to_string());
            assert_eq!(cell(row, "attack"), "fgsm");
            assert_eq!(cell(row, "suite"), "");
            assert_eq!(cell(row, "norm"), "linf");
            assert_eq!(number("eps"), record.eps.to_bits());
            assert_eq!(cell(row, "labels"), "true");
            assert_eq!(cell(row, "scope"), "all");
            assert_eq!(cell(row, "index"), outcome.index.to_string());
            let before = clean[outcome.index as usize];
            assert_eq!(cell(row, "label"), before.label.to_string());
            assert_eq!(cell(row, "clean_predicted"), before.predicted.to_string());
            assert_eq!(cell(row, "predicted"), outcome.predicted.to_string());
            assert_eq!(number("confidence"), outcome.confidence.to_bits());
            assert_eq!(number("distance"), outcome.distance.to_bits());
            assert_eq!(number("margin"), outcome.margin.to_bits());
            assert_eq!(number("right"), outcome.right.to_bits());
            assert_eq!(cell(row, "round"), outcome.round.to_string());
            assert_eq!(cell(row, "step"), outcome.step.to_string());
            assert_eq!(cell(row, "forwards"), outcome.forwards.to_string());
            assert_eq!(cell(row, "backwards"), outcome.backwards.to_string());
            row += 1;
        }
    }
    let broken: Vec<_> = (0..10).filter(|&row| cell(row, "broken") == "1").collect();
    assert_eq!(broken, [0, 1, 3, 6, 7], "image 4 was wrong before");
}

/// Would catch a file that only looks right to the crate that wrote it, an image that is there
/// twice or at the larger radius, and one that no attack broke.
#[test]
fn npz_is_what_the_format_says_byte_by_byte() {
    let dir = tempfile::tempdir().unwrap();
    let store = small_run(dir.path());
    let out = dir.path().join("new/arrays");
    let files = npz(&store, &out).unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].images, 3);
    assert_eq!(files[0].path, out.join("1-a-net-with-commas-and-lines.npz"));
    let mut archive = zip::ZipArchive::new(std::fs::File::open(&files[0].path).unwrap()).unwrap();
    let mut entry = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    };
    let header = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': \
                   (3, 3, 2, 2), }";
    let x = entry("x_adv.npy");
    assert_eq!(&x[..header.len()], header);
    assert!(x[header.len()..127].iter().all(|&byte| byte == b' '));
    assert_eq!(x[127], b'\n');
    let expected: Vec<u8> = [example(0, 0), example(1, 1), example(2, 1)]
        .iter()
        .flat_map(|example| example.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()))
        .collect();
    assert_eq!(x[128..], expected);
    let clean = store.clean(store.models().unwrap()[0].0).unwrap();
    let labels: Vec<i64> = clean[..3].iter().map(|c| i64::from(c.label)).collect();
    let header = b"{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }";
    for (name, values) in [("y", &labels[..]), ("index", &[0, 1, 2]), ("attack", &[0, 1, 1])] {
        let bytes = entry(&format!("{name}.npy"));
        assert_eq!(&bytes[10..10 + header.len()], header, "{name}");
        let start = 10 + usize::from(bytes[8]) + 256 * usize::from(bytes[9]);
        assert_eq!(start % 64, 0);
        let numbers: Vec<_> = bytes[start..]
            .chunks(8)
            .map(|eight| i64::from_le_bytes(eight.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, values, "{name}");
    }
    let again = npz(&store, &dir.path().join("again")).unwrap();
    let bytes = |file: &Npz| std::fs::read(&file.path).unwrap();
    assert_eq!(bytes(&files[0]), bytes(&again[0]), "no time and no chance in it");
}

/// Would catch arrays that NumPy does not read, or reads as something else. Where python3 (or
/// what `RESILIENCE_PYTHON` names) has no NumPy, the test says so and passes.
#[test]
fn numpy_reads_the_arrays() {
    let python = std::env::var("RESILIENCE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_numpy = Command::new(&python).args(["-c", "import numpy"]).output();
    if !has_numpy.is_ok_and(|output| output.status.success()) {
        // Past the harness, which keeps what a test that passes says to itself.
        let _ = io::stderr().write_all(
            b"SKIPPED: python3 has no NumPy (RESILIENCE_PYTHON names another), so that the \
              exported arrays were not held against it\n",
        );
        return;
    }
    let script = "
import sys, numpy
with numpy.load(sys.argv[1]) as run:
    x = run['x_adv']
    print(sorted(run.files), x.dtype, x.shape, x.flags.c_contiguous)
    print([run[name].dtype.name for name in ('y', 'index', 'attack')])
    print((x * 512).astype(int)[:, 2, 1, 1].tolist(), run['index'].tolist(), run['attack'].tolist())
";
    let dir = tempfile::tempdir().unwrap();
    let files = npz(&small_run(dir.path()), dir.path()).unwrap();
    let output = Command::new(&python).args(["-c", script]).arg(&files[0].path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "['attack', 'index', 'x_adv', 'y'] float32 (3, 3, 2, 2) True",
            "['int64', 'int64', 'int64']",
            "[11, 131, 231] [0, 1, 2] [0, 1, 1]",
        ]
    );
}

/// Would catch models that write over each other's file, and a run without examples that fails or
/// gives a file that is none.
#[test]
fn every_model_has_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (_, clean) = testdata::model("any", 5);
    let (attack, outcomes) = testdata::attack(&clean);
    let names = ["net/1", "Net 1", "../网"];
    let plan: Plan = testdata::plan(5, &names, std::slice::from_ref(&attack));
    let mut store = RunStore::create(dir.path(), &testdata::provenance(), &plan).unwrap();
    for name in names {
        let (record, clean) = testdata::model(name, 5);
        let model = store.add_model(&record, &clean).unwrap();
        testdata::add_attack(&mut store, model, &attack, &outcomes, &[]);
    }
    let files = npz(&store, dir.path()).unwrap();
    let paths: BTreeSet<_> = files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(paths.len(), 3);
    for file in files {
        assert_eq!(file.images, 0);
        assert_eq!(file.path.parent(), Some(dir.path()));
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&file.path).unwrap()).unwrap();
        let mut text = Vec::new();
        archive.by_name("x_adv.npy").unwrap().read_to_end(&mut text).unwrap();
        assert!(String::from_utf8_lossy(&text).contains("(0, 0, 0, 0)"));
    }
}

/// Would catch damage that is exported as if nothing were, or that leaves half a file.
#[test]
fn what_cannot_be_exported_leaves_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = small_run(dir.path());
    let path = dir.path().join("outcomes.csv");
    csv(&store, &path).unwrap();
    let (npz_before, csv_before) = {
        let files = npz(&store, dir.path()).unwrap();
        (std::fs::read(&files[0].path).unwrap(), std::fs::read(&path).unwrap())
    };
    drop(store);
    let damage = |sql: &str| {
        let file = dir.path().join(crate::store::FILE);
        rusqlite::Connection::open(file).unwrap().execute(sql, []).unwrap();
        RunStore::open(dir.path()).unwrap()
    };
    let store =
        damage("UPDATE example SET channels = 4, height = 3, width = 1 WHERE \"index\" = 2");
    let error = npz(&store, dir.path()).unwrap_err();
    assert!(matches!(error, ExportError::Shapes { index: 2, .. }), "{error}");
    let store = damage("UPDATE example SET pixels = x'00' WHERE \"index\" = 2");
    let error = npz(&store, dir.path()).unwrap_err();
    assert!(matches!(error, ExportError::Store(StoreError::Damaged { .. })), "{error}");
    let store = damage("UPDATE outcome SET right = 3 WHERE attack = 2 AND \"index\" = 2");
    let error = csv(&store, &path).unwrap_err();
    assert!(matches!(error, ExportError::Store(StoreError::Damaged { .. })), "{error}");
    assert!(error.to_string().contains("outcomes of attack 2, image 2"), "{error}");
    let error = csv(&store, &dir.path().join("no/such/file.csv")).unwrap_err();
    assert!(error.to_string().contains("folder does not exist"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), csv_before);
    let file = dir.path().join("1-a-net-with-commas-and-lines.npz");
    assert_eq!(std::fs::read(file).unwrap(), npz_before);
}
