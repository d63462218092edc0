//! TorchScript files as a user meets them: inspected, evaluated, verified, audited. On shapes10 and small files
//! that Python wrote, so that nothing is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{done, fails, run, summary};

/// One of the files of the golden cases.
fn module(name: &str) -> PathBuf {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../resilience/tests/golden/script");
    golden.join(format!("{name}.pt"))
}

/// A folder with some of them.
fn folder(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        fs::copy(module(name), folder.path().join(format!("{name}.pt"))).unwrap();
    }
    folder
}

const EVAL: &str = "--data shapes10 --n 96 --attack pgd --set steps=5 --eps 0.5 --threads 1";

/// Would catch a module that one command takes and another does not, evidence that another reading of the file
/// refutes, a manifest of `inspect` that is refused, and a file that is taken for weights.
#[test]
fn a_module_is_evaluated_and_verified() {
    let folder = folder(&["small"]);
    let at = folder.path();
    let manifest = done("inspect small.pt", at);
    assert!(manifest.contains("format = \"torchscript\""), "{manifest}");
    assert!(manifest.contains("input_size = [32, 32]"), "{manifest}");
    fs::write(at.join("small.toml"), manifest).unwrap();
    done(&format!("eval small.pt {EVAL} --no-audit --out file"), at);
    done(&format!("eval small.toml {EVAL} --no-audit --out manifest"), at);
    let [file, manifest] = ["file", "manifest"].map(|run| summary(at, run)["models"][0].clone());
    assert_eq!(file["robust"], manifest["robust"]);
    assert!(file["clean"]["correct"].as_u64() > file["robust"]["correct"].as_u64(), "{file}");
    assert!(done("verify file --replay 2 --threads 1", at).contains("Everything holds"));
    fails("inspect small.pt --arch resnet18", at, 2, &["leave out --arch"]);
    let weights = "name = 'small'\nfile = 'small.pt'\narchitecture = 'resnet18'\nmean = [0.0]\nstd = [1.0]\n\
                   source = 'a test'\n";
    fs::write(at.join("weights.toml"), weights).unwrap();
    fails(&format!("eval weights.toml {EVAL} --out no"), at, 3, &["format = \"torchscript\""]);
}

/// Would catch a module without a gradient, or with one that is zero, that is called robust without a word.
#[test]
fn blocked_gradients_are_doubted() {
    let folder = folder(&["detached", "rounded"]);
    let at = folder.path();
    let output = run(&format!("eval detached.pt rounded.pt {EVAL} --out run"), at);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("no gradient comes").count(), 2, "{said}");
    for model in summary(at, "run")["models"].as_array().unwrap() {
        assert_eq!(model["clean"]["correct"], model["robust"]["correct"], "attacks see nothing");
        let findings = model["audit"]["findings"].as_array().unwrap();
        let zero = findings.iter().find(|finding| finding["id"] == "zero-gradients").unwrap();
        assert_eq!(zero["judgement"], "doubt", "{zero}");
        assert_eq!(zero["numbers"][0], serde_json::json!(["zero_gradients", 1.0]), "{zero}");
    }
}

/// Would catch a damaged or cut file that ends in a panic, in a crash of libtorch, or in a message that does
/// not name it.
#[test]
fn damaged_modules_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let whole = fs::read(module("small")).unwrap();
    let manifest = "name = 'a'\nfile = 'a.pt'\nformat = 'torchscript'\nmean = [0.0]\nstd = [1.0]\nsource = 'a test'\n";
    fs::write(at.join("a.toml"), manifest).unwrap();
    for length in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(at.join("a.pt"), &whole[..length]).unwrap();
        fails(&format!("eval a.toml {EVAL} --out no"), at, 3, &["a.pt"]);
    }
    for place in [60, whole.len() / 3, whole.len() / 2] {
        let mut damaged = whole.clone();
        damaged[place..place + 40].fill(0x55);
        fs::write(at.join("a.pt"), damaged).unwrap();
        fails(&format!("eval a.toml {EVAL} --out no"), at, 3, &["a.pt"]);
    }
}
