//! A run with its evidence, as a user meets it: suites, going on after a kill, shards, checking,
//! exporting. All on shapes10, so that nothing is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod common;

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use common::{TRAIN, done, fails, outcomes, resilience, run, summary};

/// Every kind of attack, with small budgets.
const SUITE: &str = "version = 1
about = 'small budgets of everything'
[[attack]]
id = 'apgd-ce'
settings = { steps = 10 }
[[attack]]
id = 'apgd-t'
settings = { steps = 10, targets = 2 }
[[attack]]
id = 'fab-t'
settings = { steps = 10, targets = 2 }
[[attack]]
id = 'square'
settings = { queries = 150 }
";

/// A folder with a trained model and the suite.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    done(&format!("{TRAIN} --out model.pth"), folder.path());
    fs::write(folder.path().join("small.toml"), SUITE).unwrap();
    folder
}

/// At the reference: which of the other forms is faster is measured, and may differ from run to run.
const EVAL: &str = "eval model.toml --data shapes10 --n 96 --suite small.toml --eps 1/255,2/255 \
                    --threads 1 --block 32 --precision exact --no-audit";

/// Would catch robust accuracy that is not the worst case over attacks and smaller radii, figures
/// that the stored examples do not carry, an audit that is lost or changes a figure, and evidence that was
/// tampered with.
#[test]
fn a_run_can_be_checked() {
    let folder = prepared();
    let at = folder.path();
    let table = done(&format!("{EVAL} --out run"), at);
    assert!(table.contains("at most"), "it is an upper bound: {table}");

    let model = &summary(at, "run")["models"][0];
    let evaluations = model["evaluations"].as_array().unwrap();
    assert_eq!(evaluations.len(), 2);
    let robust = |place: usize| evaluations[place]["robust"]["correct"].as_u64().unwrap();
    assert!(robust(1) <= robust(0) && robust(0) <= model["clean"]["correct"].as_u64().unwrap());
    assert_eq!(model["robust"], evaluations[1]["robust"], "the last radius is the headline");
    let adds = evaluations[1]["attacks"].as_array().unwrap().iter();
    let adds: u64 = adds.map(|attack| attack["adds"].as_u64().unwrap()).sum();
    let carried = evaluations[1]["carried"].as_u64().unwrap();
    assert_eq!(model["clean"]["correct"].as_u64().unwrap(), robust(1) + adds + carried);

    let said = done("verify run --replay 2", at);
    assert!(said.contains("Everything holds") && said.contains(" 0 refuted"), "{said}");
    assert!(said.contains("0 broken; largest difference 0.0e0"), "replays are exact: {said}");

    assert!(model.get("audit").is_none(), "--no-audit");
    let said = done("audit run --threads 1", at);
    assert!(said.contains("Audit of ResilienceCNN"), "{said}");
    let findings = summary(at, "run")["models"][0]["audit"]["findings"].as_array().unwrap().len();
    assert!(findings > 10, "{findings}");
    assert!(done("verify run", at).contains("Everything holds"), "an audit changes no figure");

    done("export run --format npz --out arrays", at);
    assert_eq!(fs::read_dir(at.join("arrays")).unwrap().count(), 1);

    // Two pixels of one example, one of them moved out of its ball whatever they were.
    let connection = rusqlite::Connection::open(at.join("run/run.sqlite")).unwrap();
    let changed = connection.execute(
        "UPDATE example SET pixels = CAST(x'0000803F00000000' || substr(pixels, 9) AS BLOB) WHERE \
         (attack, \"index\") = (SELECT o.attack, o.\"index\" FROM outcome o JOIN clean c ON \
         c.\"index\" = o.\"index\" JOIN example e ON e.attack = o.attack AND e.\"index\" = \
         o.\"index\" WHERE o.\"right\" = 0 AND c.\"right\" = 1 LIMIT 1)",
        [],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(connection);
    fails("verify run", at, 1, &["1 examples refuted", "not to be trusted"]);
    let said = String::from_utf8(run("verify run", at).stdout).unwrap();
    assert!(said.contains("outside the ball"), "{said}");
}

/// Would catch an outcome that depends on when a run was killed: killed for real at random moments
/// and gone on with each time, a run ends with the outcomes of an unbroken one, to the bit.
#[test]
fn a_killed_run_goes_on_to_the_same_outcomes() {
    let folder = prepared();
    let at = folder.path();
    done(&format!("{EVAL} --out whole"), at);

    let begin: Vec<String> =
        format!("{EVAL} --out killed").split_whitespace().map(str::to_owned).collect();
    let resume = ["eval", "--resume", "killed", "--threads", "1"].map(str::to_owned).to_vec();
    let (mut kills, mut random) = (0, 12_345_u64);
    loop {
        let arguments = if at.join("killed/run.sqlite").exists() { &resume } else { &begin };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut child =
            resilience(&arguments, at).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Longer and longer, so that it comes to an end on any machine.
        sleep(Duration::from_millis(300 + 100 * kills + (random >> 40) % 500));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0, "it was never killed: make the run longer");
    assert_eq!(outcomes(at, "killed"), outcomes(at, "whole"), "after {kills} kills");
    done("verify killed", at);
}

/// Would catch shards that do not add up to the whole, and merges of what does not belong together.
#[test]
fn shards_make_the_whole() {
    let folder = prepared();
    let at = folder.path();
    done(&format!("{EVAL} --out whole"), at);
    done(&format!("{EVAL} --shard 1/2 --out a"), at);
    fails("merge a --out merged", at, 3, &["2/2"]);
    fails("merge a a --out merged", at, 3, &["1/2"]);
    done(&format!("{EVAL} --shard 2/2 --out b"), at);
    done("merge a b --out merged", at);
    assert_eq!(outcomes(at, "merged"), outcomes(at, "whole"));
    let (merged, whole) = (summary(at, "merged"), summary(at, "whole"));
    for figure in ["clean", "robust", "robust_threat"] {
        assert_eq!(merged["models"][0][figure], whole["models"][0][figure], "{figure}");
    }
    done("verify merged", at);
    done(&format!("{EVAL} --seed 1 --shard 2/2 --out other"), at);
    fails("merge a other --out wrong", at, 3, &["seed"]);
    fails(&format!("{EVAL} --shard 1/9 --out none"), at, 2, &["--block"]);
}

/// Would catch a run that goes on with another model or other data than it was begun with.
#[test]
fn another_model_or_other_data_are_refused() {
    let folder = prepared();
    let at = folder.path();
    let eval = "eval model.toml --data shapes10 --n 16 --attack fgsm --out run";
    done(eval, at);
    done(&format!("{TRAIN} --seed 1 --out other.pth"), at);
    fails("verify run --model other.toml", at, 3, &["not that of the run", "weights"]);
    fails("verify run --model model.toml --model other.toml", at, 2, &["1 models"]);
    // What lies at the model's place is another file now.
    fs::copy(at.join("other.pth"), at.join("model.pth")).unwrap();
    let output = run("verify run", at);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

/// Would catch models that are not compared, or that are compared on different images.
#[test]
fn models_are_compared_on_the_same_images() {
    let folder = prepared();
    let at = folder.path();
    done(&format!("{TRAIN} --seed 1 --out other.pth"), at);
    let eval = "eval model.toml other.toml --data shapes10 --n 40 --suite small.toml \
                --eps 1/255 --no-audit --out run";
    done(eval, at);
    let pairs = summary(at, "run")["pairs"].clone();
    let pair = pairs.as_array().unwrap().iter().find(|pair| pair["eps_text"] == "1/255").unwrap();
    assert_eq!(pair["n"], 40);
    let interval = [0, 1].map(|end| pair["ci95"][end].as_f64().unwrap());
    let difference = pair["difference"].as_f64().unwrap();
    assert!(interval[0] <= difference && difference <= interval[1]);
}

/// Would catch a noisy model whose figures are those of one lucky draw.
#[test]
fn a_noisy_model_is_measured_over_passes() {
    let folder = prepared();
    let at = folder.path();
    let manifest = fs::read_to_string(at.join("model.toml")).unwrap();
    fs::write(at.join("noisy.toml"), format!("{manifest}input_noise = 0.2\n")).unwrap();
    let eval = "eval noisy.toml --data shapes10 --n 24 --suite small.toml --eps 1/255 --passes 5 \
                --threads 1 --precision exact --no-audit";
    done(&format!("{eval} --out run"), at);
    done(&format!("{eval} --out again"), at);
    let model = &summary(at, "run")["models"][0];
    assert_eq!(model["passes"], 5);
    let shares = model["clean"]["rate"].as_f64().unwrap() * 24.0 * 5.0;
    assert!((shares - shares.round()).abs() < 1e-9, "a mean over 5 passes: {shares}");
    assert_eq!(outcomes(at, "run"), outcomes(at, "again"));
    done("verify run", at);
}

/// Would catch distances that are lost on the way to the summary, contradict what the attack broke within the
/// radius, or are taken on trust; a nearest point that was tampered with; and what goes with none.
#[test]
fn nearest_points_can_be_checked() {
    let folder = prepared();
    let at = folder.path();
    let eval = "eval model.toml --data shapes10 --n 48 --attack fmn --set steps=30 --nearest \
                --threads 1 --precision exact --no-audit";
    let said = done(&format!("{eval} --eps 1/255 --out run"), at);
    assert!(said.contains("Distances of the nearest adversarial examples"), "{said}");
    let model = &summary(at, "run")["models"][0];
    let distances = &model["distances"][0];
    let (right, found) =
        (distances["right"].as_u64().unwrap(), distances["found"].as_u64().unwrap());
    assert!(found <= right && found > right / 2, "{distances}");
    assert_eq!(distances["clean"], model["clean"]);
    let clean = model["clean"]["correct"].as_u64().unwrap();
    let broke = model["evaluations"][0]["attacks"][0]["broke"].as_u64().unwrap();
    assert_eq!(model["robust"]["correct"].as_u64().unwrap(), clean - broke);
    let said = done("verify run --replay 2", at);
    assert!(said.contains(&format!("nearest points: {found} stored, {found} proven")), "{said}");
    let connection = rusqlite::Connection::open(at.join("run/run.sqlite")).unwrap();
    let changed = connection.execute(
        "UPDATE nearest SET distance = distance / 2 WHERE \"index\" = (SELECT \"index\" FROM nearest \
         ORDER BY distance DESC LIMIT 1)",
        [],
    );
    assert_eq!(changed.unwrap(), 1);
    drop(connection);
    fails("verify run", at, 1, &["1 examples refuted"]);
    for (wrong, words) in [
        ("--attack pgd --nearest", &["pgd stays within a radius", "fmn"][..]),
        ("--attack fmn --nearest --eps 1/255,2/255", &["name one --eps"]),
        ("--attack fmn --nearest --transfer", &["--transfer", "--nearest"]),
    ] {
        let eval = format!("eval model.toml --data shapes10 --n 8 {wrong} --out wrong");
        fails(&eval, at, 2, words);
    }
}

/// Would catch a matrix that is not there, examples of a model that leave itself more than another's by a
/// mix-up of the two, and a single model that is shown its own examples as if they were another's.
#[test]
fn examples_of_one_model_are_shown_to_another() {
    let folder = prepared();
    let at = folder.path();
    done(&format!("{TRAIN} --seed 1 --out other.pth"), at);
    let eval = "eval model.toml other.toml --data shapes10 --n 48 --attack pgd --set steps=10 \
                --eps 8/255 --transfer --threads 1 --no-audit --out run";
    let said = done(eval, at);
    assert!(said.contains("Examples of one model shown to another"), "{said}");
    let summary = summary(at, "run");
    let left = |target: usize, stage: usize| {
        let stage = &summary["models"][target]["evaluations"][0]["attacks"][stage];
        let source = stage["source"].as_str().unwrap().to_owned();
        (source, stage["alone"]["correct"].as_u64().unwrap())
    };
    for target in 0..2 {
        let own = summary["models"][target]["name"].as_str().unwrap();
        let (itself, other) = (left(target, target), left(target, 1 - target));
        assert_eq!(itself.0, own);
        assert!(itself.1 < other.1, "{own}: {itself:?} {other:?}");
    }
    assert!(done("verify run", at).contains("Everything holds"));
    let alone = "eval model.toml --data shapes10 --n 8 --attack pgd --transfer --out wrong";
    fails(alone, at, 2, &["name two models or more"]);
}
