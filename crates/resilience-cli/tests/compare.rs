//! Comparisons as a user meets them: trained, judged, broken off, made in parts, and refused. All on
//! shapes10, so that nothing is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use common::{done, fails, resilience};
use serde_json::Value;

const SUITE: &str = "version = 1
about = 'a test'
seeds = [0, 1]
[evaluation]
eps = '8/255'
robust_images = 16
curve = ['4/255']
curve_images = 16
[defaults]
epochs = 1
batch = 32
[[train]]
name = 'standard'
recipe = 'standard'
[[train]]
name = 'teacher'
recipe = 'standard'
settings = { temperature = 20 }
shown = false
seeds = [0]
[[train]]
name = 'distillation'
recipe = 'distillation'
with = ['teacher']
seeds = [0]
[[train]]
name = 'pgd-at'
recipe = 'pgd-at'
settings = { steps = 2 }
[[ensemble]]
name = 'both'
of = 'pgd-at'
";

const COMPARE: &str = "compare suite.toml --data shapes10 --n 96 --threads 1";

fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("suite.toml"), SUITE).unwrap();
    folder
}

fn comparison(at: &Path, out: &str) -> Value {
    let text = fs::read_to_string(at.join(out).join("comparison.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Name and figures of every group: what does not depend on the time.
fn figures(comparison: &Value) -> Vec<(String, Value)> {
    let groups = comparison["groups"].as_array().unwrap();
    groups.iter().map(|g| (g["name"].as_str().unwrap().to_owned(), g["figures"].clone())).collect()
}

/// Would catch a network that is left out, judged by other attacks or on other images than the rest, a
/// part that was made elsewhere and is not taken, and one that is broken off and does not go on to the
/// same figures.
#[test]
fn a_comparison_in_parts_is_the_whole_one() {
    let folder = prepared();
    let at = folder.path();
    let said = done(&format!("{COMPARE} --out whole"), at);
    assert!(said.contains("report.html"), "{said}");
    let whole = comparison(at, "whole");
    let names: Vec<String> = figures(&whole).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["standard", "distillation", "pgd-at", "both"]);
    assert_eq!(whole["missing"], Value::Array(Vec::new()));
    let markdown = fs::read_to_string(at.join("whole/comparison.md")).unwrap();
    assert_eq!(markdown.matches("\n| ").count(), 1 + names.len(), "{markdown}");
    for group in whole["groups"].as_array().unwrap() {
        let measures: Vec<_> = group["figures"].as_array().unwrap().iter().collect();
        let n = |measure: &str| {
            measures.iter().find(|figure| figure["measure"] == measure).unwrap()["n"].clone()
        };
        assert_eq!((n("clean"), n("pgd"), n("robust")), (96.into(), 96.into(), 16.into()));
        let rate = |measure: &str| {
            measures.iter().find(|f| f["measure"] == measure).unwrap()["mean"].as_f64().unwrap()
        };
        assert!(rate("pgd") <= rate("clean") && rate("robust") < 1.0);
    }
    // One network elsewhere, its folders copied; the rest broken off at some moment, twice.
    done(&format!("{COMPARE} --only pgd-at --seed 1 --out elsewhere"), at);
    fs::create_dir(at.join("parts")).unwrap();
    let copied = at.join("parts/pgd-at-seed1");
    fs::create_dir(&copied).unwrap();
    for file in fs::read_dir(at.join("elsewhere/pgd-at-seed1")).unwrap() {
        let file = file.unwrap();
        if file.path().is_file() {
            fs::copy(file.path(), copied.join(file.file_name())).unwrap();
        }
    }
    for file in ["standard-seed0/model.checkpoint", "distillation-seed0/run.sqlite"] {
        let arguments = format!("{COMPARE} --out parts");
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let mut child =
            resilience(&arguments, at).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !at.join("parts").join(file).exists() {
            assert!(child.try_wait().unwrap().is_none(), "it ended without {file}");
            sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!at.join("parts/comparison.json").exists());
    }
    done(&format!("{COMPARE} --out parts"), at);
    assert_eq!(figures(&comparison(at, "parts")), figures(&whole));
}

/// Would catch results of another suite that are counted with this one's, results of an older version that
/// are not, a report that passes for whole
/// where something is missing, and a suite that fails only after its first training.
#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = prepared();
    let at = folder.path();
    done(&format!("{COMPARE} --only standard --seed 0 --out part"), at);
    let part = comparison(at, "part");
    let missing = part["missing"].as_array().unwrap();
    assert!(missing.contains(&"standard, seed 1".into()) && missing.contains(&"both".into()));
    let page = fs::read_to_string(at.join("part/report.html")).unwrap();
    assert!(page.contains("(incomplete)"));
    // As a version wrote it down that could not set this yet.
    let forget = "UPDATE run SET plan = replace(plan, '\"sparsity\":0.01,', '');
                  UPDATE attack SET record = replace(record, '\"sparsity\":0.01,', '')";
    let store = rusqlite::Connection::open(at.join("part/standard-seed0/run.sqlite")).unwrap();
    store.execute_batch(forget).unwrap();
    done(&format!("{COMPARE} --only standard --out part"), at);
    let part = comparison(at, "part");
    assert_eq!(
        part["groups"][0]["members"].as_array().unwrap().len(),
        2,
        "it counts like the others"
    );
    fs::remove_dir_all(at.join("part/standard-seed1")).unwrap();
    let change = |from: &str, to: &str| {
        fs::write(at.join("suite.toml"), SUITE.replace(from, to)).unwrap();
    };
    let again = format!("{COMPARE} --only standard --seed 0 --out part");
    change("epochs = 1", "epochs = 2");
    fails(&again, at, 3, &["standard-seed0", "epochs", "'2'"]);
    change("eps = '8/255'", "eps = '4/255'");
    fails(&again, at, 3, &["standard-seed0", "other attacks"]);
    change("steps = 2", "stps = 2");
    fails(&again, at, 2, &["recipe pgd-at", "'stps'", "steps"]);
    change("recipe = 'pgd-at'", "recipe = 'pdg-at'");
    fails(&again, at, 2, &["did you mean 'pgd-at'"]);
    change("with = ['teacher']", "");
    fails(&again, at, 2, &["distillation", "teacher"]);
    fs::write(at.join("suite.toml"), SUITE).unwrap();
    fails("compare suite.toml --only pgd --out x", at, 2, &["--only pgd", "pgd-at"]);
    fails("compare suite.toml --seed 7 --out x", at, 2, &["--seed 7"]);
    fails("compare none.toml --out x", at, 3, &["none.toml"]);
}
