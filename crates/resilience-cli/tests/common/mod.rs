//! Running the command in a folder of its own, on shapes10, so that nothing is needed.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Trains a small network in seconds.
pub const TRAIN: &str = "train --recipe standard --data shapes10 --n 256 --epochs 3 --threads 1";

/// The command with these arguments, that finds nothing of the user's.
pub fn resilience(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resilience"));
    command.args(arguments).current_dir(folder).env_remove("RESILIENCE_DATA");
    command.env_remove("RESILIENCE_MODELS").env_remove("RESILIENCE_CACHE");
    command.env("XDG_CACHE_HOME", folder.join("cache"));
    // The tests themselves may be a task of an array.
    command.env_remove("SLURM_ARRAY_TASK_ID").env_remove("JOB_COMPLETION_INDEX");
    command
}

/// Runs it.
pub fn run(arguments: &str, folder: &Path) -> Output {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    resilience(&arguments, folder).output().unwrap()
}

/// Runs what must succeed and gives its output.
pub fn done(arguments: &str, folder: &Path) -> String {
    let output = run(arguments, folder);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments}: {text}{error}");
    text
}

/// Runs what must fail with this exit code, saying all of `words`.
pub fn fails(arguments: &str, folder: &Path, code: i32, words: &[&str]) {
    let output = run(arguments, folder);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments}: {error}");
    for word in words {
        assert!(error.contains(word), "{arguments}: '{word}' is not in: {error}");
    }
    assert!(!error.contains("panicked"), "{arguments}: {error}");
}

/// The summary of a finished run.
pub fn summary(at: &Path, run: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(at.join(run).join("summary.json")).unwrap()).unwrap()
}

/// All outcomes of a run, as text.
pub fn outcomes(at: &Path, run: &str) -> String {
    done(&format!("export {run} --format csv --out {run}.csv"), at);
    fs::read_to_string(at.join(format!("{run}.csv"))).unwrap()
}
