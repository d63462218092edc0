//! Ensembles as a user meets them: from a manifest that lists members to a verified run. All on
//! shapes10, so that nothing is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod common;

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use common::{TRAIN, done, fails, outcomes, resilience, run, summary};
use serde_json::Value;

const SUITE: &str = "version = 1
about = 'small budgets'
[[attack]]
id = 'apgd-ce'
settings = { steps = 8 }
[[attack]]
id = 'fab-t'
settings = { steps = 4, targets = 1 }
[[attack]]
id = 'square'
settings = { queries = 40 }
";

const EVAL: &str = "--data shapes10 --n 48 --suite small.toml --eps 8/255 --threads 1 --block 16 \
                    --no-audit";

/// A folder with two trained models and an ensemble of them for each vote.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("nets")).unwrap();
    for seed in [0, 1] {
        done(&format!("{TRAIN} --seed {seed} --out nets/{seed}.pth"), at);
    }
    for vote in ["logits", "probabilities", "majority"] {
        fs::write(at.join(format!("{vote}.toml")), manifest(vote, "nets/1.toml")).unwrap();
    }
    fs::write(at.join("small.toml"), SUITE).unwrap();
    folder
}

fn manifest(vote: &str, other: &str) -> String {
    format!(
        "name = 'Both, {vote}'\nmembers = ['nets/0.toml', '{other}']\nvote = '{vote}'\n\
         source = 'a test'\n"
    )
}

/// Would catch an ensemble that some command takes for another model or does not take at all, shards
/// of it that do not make the whole, evidence that does not hold, and a record from which nobody
/// learns who voted.
#[test]
fn every_vote_is_evaluated_and_verified() {
    let folder = prepared();
    let at = folder.path();
    let all = "logits.toml probabilities.toml majority.toml";
    let eval = format!("eval {all} {EVAL} --precision exact");
    let output = run(&format!("{eval} --out whole"), at);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("vote has no gradient").count(), 1, "{said}");
    for shard in ["1/2", "2/2"] {
        done(&format!("{eval} --shard {shard} --out part{}", &shard[..1]), at);
    }
    done("merge part1 part2 --out merged", at);
    assert_eq!(outcomes(at, "merged"), outcomes(at, "whole"));
    let said = done("verify whole --replay 2 --threads 1", at);
    assert!(
        said.contains("Everything holds") && said.contains("largest difference 0.0e0"),
        "{said}"
    );

    let summary = summary(at, "whole");
    for (model, vote) in summary["models"].as_array().unwrap().iter().zip(all.split(".toml")) {
        let (vote, ensemble) = (vote.trim(), &model["ensemble"]);
        assert_eq!(ensemble["vote"], vote);
        assert_eq!(ensemble["differentiable"], vote != "majority");
        let seen = if vote == "majority" { "probabilities" } else { vote };
        assert_eq!(ensemble["gradients_of"], seen);
        assert_eq!(model["architecture"], "ensemble of 2: resilience-cnn");
        let members = ensemble["members"].as_array().unwrap();
        assert_eq!(members.len(), 2);
        let parameters = |model: &Value| model["parameters"].as_u64().unwrap();
        assert_eq!(parameters(model), 2 * parameters(&members[0]));
        assert_eq!(members[1]["training"]["seed"], 1);
    }
    let sums = [0, 1, 2].map(|place: usize| summary["models"][place]["weights_sha256"].clone());
    assert!(sums[0] != sums[1] && sums[1] != sums[2], "the vote is part of it: {sums:?}");
    let page = fs::read_to_string(at.join("whole/report.html")).unwrap();
    assert!(page.contains("this holds for Both, majority"), "the report says it");
    assert!(
        done("bench majority.toml --n 10 --threads 1", at)
            .contains("ensemble of 2: resilience-cnn")
    );
}

/// Would catch an ensemble that ends otherwise when it was killed, a run that goes on with another vote
/// or another member, and a form of it that attacks look at unasked and that says something else.
#[test]
fn a_killed_run_goes_on_with_the_same_members() {
    let folder = prepared();
    let at = folder.path();
    let eval = format!("eval majority.toml {EVAL} --precision exact");
    done(&format!("{eval} --out whole"), at);
    done(&format!("eval majority.toml {EVAL} --out fast"), at);
    done("verify fast --threads 1", at);
    let arguments = format!("{eval} --out run");
    let arguments: Vec<&str> = arguments.split(' ').filter(|part| !part.is_empty()).collect();
    let mut child = resilience(&arguments, at).stderr(Stdio::null()).spawn().unwrap();
    while !at.join("run/run.sqlite").exists() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(2));
    }
    sleep(Duration::from_millis(150));
    child.kill().unwrap();
    child.wait().unwrap();
    done("eval --resume run --threads 1 --no-audit", at);
    assert_eq!(outcomes(at, "run"), outcomes(at, "whole"));
    done("verify run --replay 1 --threads 1", at);

    fails("verify run --model probabilities.toml", at, 3, &["not that of the run", "vote and"]);
    let noisy = fs::read_to_string(at.join("nets/1.toml")).unwrap() + "input_noise = 0.01\n";
    fs::write(at.join("nets/1.toml"), noisy).unwrap();
    fails("verify run --threads 1", at, 3, &["not that of the run", "members"]);
    done(
        &format!("{eval} --passes 3 --out noisy --attack fgsm").replace("--suite small.toml ", ""),
        at,
    );
    assert_eq!(summary(at, "noisy")["models"][0]["passes"], 3, "a noisy member makes it noisy");
}

/// Would catch a member that does not fit, or is not at hand, being found after the data were read,
/// and a mistake in a manifest that is not named.
#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("nets")).unwrap();
    let member = "name = 'A'\nfile = 'a.pth'\narchitecture = 'resnet20'\nmean = [0, 0, 0]\n\
                  std = [1, 1, 1]\nsource = 'a test'\n";
    fs::write(at.join("nets/0.toml"), member).unwrap();
    fs::write(at.join("all.toml"), manifest("majority", "nets/0.toml")).unwrap();
    fails("eval all.toml --data shapes10 --out run", at, 3, &["a.pth", "not at hand"]);
    fails("eval all.toml --arch resnet20 --out run", at, 2, &["leave out"]);
    fs::write(at.join("all.toml"), manifest("median", "nets/0.toml")).unwrap();
    fails("eval all.toml --out run", at, 3, &["majority, found 'median'"]);
    fs::write(at.join("all.toml"), manifest("logits", "all.toml")).unwrap();
    fails("eval all.toml --out run", at, 3, &["own members"]);
    fs::write(at.join("nets/1.toml"), member.replace("resnet20", "resnet21")).unwrap();
    fs::write(at.join("all.toml"), manifest("logits", "nets/1.toml")).unwrap();
    fails("eval all.toml --out run", at, 2, &["did you mean 'resnet20'"]);
}
