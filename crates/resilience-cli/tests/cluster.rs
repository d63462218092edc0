//! A run on many machines, as their schedulers see it: tasks that find their shard and go on, and the
//! files that start them. All on shapes10, so that nothing is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{TRAIN, done, fails, resilience};

const EVAL: &str = "eval model.toml --data shapes10 --n 64 --attack pgd --set steps=40 --set restarts=8 \
                    --eps 2/255 --threads 1 --block 16 --precision exact --no-audit";

fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    done(&format!("{TRAIN} --out model.pth"), folder.path());
    folder
}

/// The command in a task's environment.
fn task(arguments: &str, at: &Path, variables: &[(&str, &str)]) -> Command {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let mut command = resilience(&arguments, at);
    command.envs(variables.iter().copied());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn outcomes(at: &Path, run: &str) -> String {
    done(&format!("export {run} --format csv --out {run}.csv"), at);
    fs::read_to_string(at.join(format!("{run}.csv"))).unwrap()
}

/// Would catch a task that does another shard than its own, does it twice, or goes on with a run of
/// another plan; and, where Slurm and Kubernetes count differently, shards that make no whole.
#[test]
fn tasks_find_their_shards() {
    let folder = prepared();
    let at = folder.path();
    done(&format!("{EVAL} --out whole"), at);
    let kubernetes = [("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "2")];
    let slurm = [("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_COUNT", "2")];
    for (out, variables) in [("a", kubernetes), ("b", slurm)] {
        let output =
            task(&format!("{EVAL} --shard auto --out {out}"), at, &variables).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    done("merge a b --out merged", at);
    assert_eq!(outcomes(at, "merged"), outcomes(at, "whole"));

    let again = task(&format!("{EVAL} --shard auto --out b"), at, &slurm).output().unwrap();
    assert!(again.status.success() && said(&again).contains("is finished"), "{}", said(&again));
    for (line, code, words) in [
        (format!("{EVAL} --seed 1 --shard auto --out b"), 3, ["another plan: seed", "expected 1"]),
        (format!("{EVAL} --shard auto --out a"), 3, ["another plan: shard.index", "expected 2"]),
        (format!("{EVAL} --shard auto --overwrite --out b"), 2, ["--overwrite", "goes on"]),
        (format!("{EVAL} --shard auto/1 --out c"), 2, ["SLURM_ARRAY_TASK_ID", "for 1 shards"]),
    ] {
        let output = task(&line, at, &slurm).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {}", said(&output));
        for word in words {
            assert!(said(&output).contains(word), "{line}: '{word}' is not in: {}", said(&output));
        }
    }
    fails(&format!("{EVAL} --shard auto --out c"), at, 2, &["SLURM_ARRAY_TASK_ID", "not set"]);
    assert!(!at.join("c").exists(), "a refused run leaves nothing behind");
}

/// Would catch a scheduler's SIGTERM that kills rather than stops, and a task that begins anew or refuses
/// when it is started again.
#[cfg(unix)]
#[test]
fn a_task_that_is_stopped_goes_on_by_the_same_command() {
    let folder = prepared();
    let at = folder.path();
    let variables = [("SLURM_ARRAY_TASK_ID", "2")];
    let line = |out: &str| format!("{EVAL} --shard auto/2 --out {out}");
    assert!(task(&line("unbroken"), at, &variables).output().unwrap().status.success());

    let mut child = task(&line("stopped"), at, &variables);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !at.join("stopped/run.sqlite").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
        sleep(Duration::from_millis(5));
    }
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(asked.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130), "stopped in the middle, on its own");
    let again = task(&line("stopped"), at, &variables).output().unwrap();
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("was begun before and goes on"), "{}", said(&again));
    assert_eq!(outcomes(at, "stopped"), outcomes(at, "unbroken"));
}

/// Would catch a mistake that shows only when the queue has come to it, and files that are not those that
/// were asked for.
#[test]
fn what_is_submitted_is_checked_first() {
    let folder = prepared();
    let at = folder.path();
    let slurm = "submit --slurm --shards 4 --out run";
    let kubernetes = "submit --kubernetes --image r/i:1 --threads 1 --shards 4 --out run";
    for (line, words) in [
        (format!("{slurm} -- {EVAL} --block 64"), &["--block", "multiple times"][..]),
        (format!("submit --slurm --shards 5 --out run -- {EVAL}"), &["4 blocks", "5 shards"]),
        (format!("{slurm} -- eval model.toml"), &["--threads must be given"]),
        (format!("{slurm} --threads 2 -- {EVAL}"), &["--threads is both 2 and"]),
        (format!("{slurm} -- {EVAL} --out x"), &["--out", "leave it out"]),
        (format!("{slurm} -- {EVAL} --shard=1/2"), &["--shard", "leave it out"]),
        (format!("{slurm} -- train --recipe trades"), &["only evaluations"]),
        (format!("{slurm} -- eval mode.toml --threads 1"), &["'mode.toml' is no model"]),
        (format!("{slurm} --sbatch=--array=1 -- {EVAL}"), &["--array", "--shards"]),
        (format!("{kubernetes} --name No -- eval model.toml --data shapes10"), &["'No'", "--name"]),
        (
            format!("{kubernetes} --unchecked -- eval x.toml --suite quik"),
            &["did you mean 'quick'"],
        ),
        (format!("{kubernetes} --unchecked -- eval x.toml --n 8 --block 4"), &["2 blocks"]),
    ] {
        fails(&line, at, 2, words);
    }
    assert!(!at.join("run").exists(), "a refused submission leaves nothing behind");

    let said = done(&format!("{slurm} -- {EVAL}"), at);
    assert!(said.contains("64 images in 4 shards") && said.contains("sh run/submit.sh"), "{said}");
    let array = fs::read_to_string(at.join("run/array.sh")).unwrap();
    for line in
        ["#SBATCH --array=1-4", "#SBATCH --cpus-per-task=1", "#SBATCH --job-name=resilience-run"]
    {
        assert!(array.lines().any(|found| found == line), "'{line}' is not in {array}");
    }
    assert!(at.join("run/logs").is_dir(), "Slurm makes no folder for logs");
    done(&format!("{slurm} -- {EVAL}"), at);
    fails(&format!("{slurm} -- {EVAL} --seed 1"), at, 2, &["array.sh", "--overwrite"]);
    done(&format!("{slurm} --overwrite -- {EVAL} --seed 1"), at);

    let elsewhere = "submit --kubernetes --image r/i:1 --threads 1 --shards 4 --out pods --unchecked -- \
                     eval x.toml --n 1000";
    assert!(done(elsewhere, at).contains("bash pods/submit.sh"));
    assert!(at.join("pods/claim.yaml").is_file() && at.join("pods/shards.yaml").is_file());
}
