//! The command as a user meets it: what it writes, what it says, how it ends. All on shapes10, so
//! that nothing is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{TRAIN, done, fails, resilience, run, summary};
use serde_json::Value;

/// Would catch a figure that is not counted from the samples, a key of the documented summary that
/// is missing, or a command whose output another cannot read.
#[test]
fn train_eval_and_report_work_together() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(&format!("{TRAIN} --out a/model.pth"), at);
    for file in ["model.pth", "model.safetensors", "model.toml", "model.training.json"] {
        assert!(at.join("a").join(file).is_file(), "{file}");
    }
    let eval = "eval a/model.toml --data shapes10 --n 120 --attack fgsm --eps 0.1 --labels both \
                --out run";
    let table = done(eval, at);
    assert!(table.contains("true labels") && table.contains("predicted labels"), "{table}");

    let summary: Value =
        serde_json::from_str(&fs::read_to_string(at.join("run/summary.json")).unwrap()).unwrap();
    assert_eq!(summary["schema"], 2);
    let model = &summary["models"][0];
    assert_eq!(model["dataset"]["name"], "shapes10");
    assert_eq!(model["clean"]["n"], 120);
    assert_eq!(model["training"]["epochs"].as_array().unwrap().len(), 3);
    for (attack, labels) in model["attacks"].as_array().unwrap().iter().zip(["true", "predicted"]) {
        assert_eq!((&attack["id"], &attack["labels"]), (&"fgsm".into(), &labels.into()));
        for (part, count) in [("adversarial", "correct"), ("robustness", "unchanged")] {
            let rate = attack[part][count].as_f64().unwrap() / 120.0;
            assert!((attack[part]["rate"].as_f64().unwrap() - rate).abs() < 1e-12);
            let interval = [0, 1].map(|end| attack[part]["ci95"][end].as_f64().unwrap());
            assert!(interval[0] <= rate && rate <= interval[1], "{interval:?}");
        }
        // One forward and one backward pass for the attack, one forward for the verdict.
        assert_eq!((&attack["forwards"], &attack["backwards"]), (&240.into(), &120.into()));
    }

    fails(eval, at, 3, &["already holds a run", "--overwrite"]);
    done(&format!("{eval} --overwrite"), at);
    let other = "eval a/model.safetensors --arch resilience-cnn --data shapes10 --n 120 \
                 --attack none --out other";
    done(other, at);
    done("report run other --out both.html", at);
    let page = fs::read_to_string(at.join("both.html")).unwrap();
    let title = page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    assert!(title.is_some_and(|t| t.contains("shapes10") && !t.contains("CIFAR")), "{title:?}");
    let clean = |run: &str| -> Value {
        let text = fs::read_to_string(at.join(run).join("summary.json")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["models"][0]["clean"]["correct"].clone()
    };
    assert_eq!(clean("run"), clean("other"), "the two forms of weights are the same model");
}

/// Would catch a weights file that is not recognised, a manifest that cannot be used as it stands, and an
/// error about a wrong architecture that does not say which one is right.
#[test]
fn inspect_writes_a_manifest_to_start_from() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(&format!("{TRAIN} --out model.pth"), at);
    let output = run("inspect model.pth --tensors", at);
    let said = String::from_utf8_lossy(&output.stderr);
    for words in
        ["zip form", "SHA-256", "8 tensors", "fc2.bias", "it fits resilience-cnn", "mean and std"]
    {
        assert!(said.contains(words), "'{words}' is not in: {said}");
    }
    fs::write(at.join("found.toml"), &output.stdout).unwrap();
    let clean = |model: &str, out: &str| {
        done(&format!("eval {model} --data shapes10 --n 100 --attack none --out {out}"), at);
        summary(at, out)["models"][0]["clean"]["correct"].clone()
    };
    assert_eq!(clean("found.toml", "one"), clean("model.toml", "other"));

    fails("inspect model.pth --arch resnet20", at, 3, &["'layer1.0.conv1.weight'", "no place"]);
    let wrong = "eval model.pth --arch resnet20 --data shapes10 --n 10 --attack none --out none";
    fails(wrong, at, 3, &["do not fit resnet20", "they fit resilience-cnn", "resilience inspect"]);
    fails("eval model.pth --data shapes10 --out none", at, 2, &["resilience inspect model.pth"]);
    fs::write(at.join("page.pth"), "<!DOCTYPE html>").unwrap();
    fails("inspect page.pth", at, 3, &["web page"]);
}

/// Would catch published claims that are not in the program itself, an overview without end, and JSON
/// that says something else than the files.
#[test]
fn published_claims_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let all = done("leaderboard", at);
    assert!(all.contains("imagenet linf 4/255: the first 5 of 30 claims"), "{all}");
    assert!(all.lines().count() < 90, "{all}");
    let one = done("leaderboard --dataset cifar10 --norm l2", at);
    assert!(one.contains("cifar10 l2 0.5: 21 claims") && !one.contains("linf"), "{one}");
    let json =
        done("leaderboard --dataset cifar10 --norm linf --architecture resnet-32 --json", at);
    let rows: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&rows[0]["rank"], &rows[0]["id"]), (&81.into(), &"Pang2020Rethinking".into()));
    assert_eq!((&rows[0]["robust"], &rows[0]["eps"]), (&43.48.into(), &"8/255".into()));
    assert_eq!(rows.as_array().map(Vec::len), Some(1));
}

/// Would catch an error that does not name the thing, or another exit code than documented.
#[test]
fn mistakes_are_named_with_their_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fails("evaluate", at, 2, &["eval"]);
    fails("list attack", at, 2, &["attacks"]);
    fails("explain fgms", at, 2, &["did you mean 'fgsm'"]);
    fails("leaderboard --dataset cifr10", at, 2, &["did you mean 'cifar10'", "imagenet"]);
    fails("leaderboard --norm l1", at, 2, &["'l1'", "linf, l2, corruptions"]);
    fails("leaderboard --dataset imagenet --eps 8/255", at, 2, &["imagenet linf 4/255"]);
    fails("train --recipe standart --out m.pth", at, 2, &["did you mean 'standard'"]);
    fails(
        "train --recipe standard --arch resnet3 --out m.pth",
        at,
        2,
        &["did you mean 'resnet32'"],
    );
    fails(
        "train --recipe standard --data shapes1 --out m.pth",
        at,
        3,
        &["did you mean 'shapes10'"],
    );
    fails("train --recipe standard --data /no/where --out m.pth", at, 3, &["/no/where"]);
    fails("train --recipe standard --learning-rate 0 --out m.pth", at, 2, &["above 0"]);
    for (options, words) in [
        ("standard --mixup 0", &["mixup", "above 0"][..]),
        ("standard --mixup 1 --cutmix 1", &["one of the two"]),
        ("standard --momentum 0.9", &["momentum"]),
        ("standard --schedule piecewise", &["epochs"]),
        ("trades --set bta=5", &["recipe trades", "did you mean 'beta'"]),
        ("distillation", &["teacher", "--with"]),
        ("fast-at --validation 0", &["guard", "validation"]),
        ("standard --norm l1", &["linf or l2"]),
        ("pgd-at --norm l1", &["pgd-at", "linf, l2"]),
    ] {
        fails(&format!("train --recipe {options} --out m.pth"), at, 2, words);
    }
    fs::write(at.join("own.toml"), "recipe = 'standard'\nepoch = 3\n").unwrap();
    fails("train --recipe own.toml --out m.pth", at, 3, &["own.toml", "did you mean 'epochs'"]);
    fails("train --recipe none.toml --out m.pth", at, 3, &["none.toml"]);
    fails("eval resnet32-standart --out r", at, 2, &["did you mean 'resnet32-standard'"]);
    fails("eval resnet32-standard --data shapes10 --out r", at, 3, &["RESILIENCE_MODELS"]);
    for eps in ["0", "-1", "8/0", "nan"] {
        let words = ["is not a radius", "--attack none"];
        fails(&format!("eval resnet32-standard --eps={eps} --out r"), at, 2, &words);
    }
    fails("eval resnet32-standard --eps=8 --out r", at, 2, &["8/255"]);
    fails("train --recipe standard --out m.toml", at, 2, &[".pth"]);
    fails("train --recipe standard --mean 123,117,104 --std 58,57,57 --out m.pth", at, 2, &["255"]);
    fails("eval resnet32-standard --norm l3 --out r", at, 2, &["linf, l2"]);
    fails("eval resnet32-standard --attack cw --norm l1 --out r", at, 2, &["no version for l1"]);
    fails("eval resnet32-standard --suite quik --out r", at, 2, &["did you mean 'quick'"]);
    fails("eval resnet32-standard --attack pdg --out r", at, 2, &["did you mean 'pgd'"]);
    let set = |set: &str| format!("eval resnet32-standard --attack pgd --set {set} --out r");
    fails(&set("step=5"), at, 2, &["did you mean 'steps'"]);
    fails(&set("steps=0"), at, 2, &["steps", "from 1 to", "'0'"]);
    fails(&set("steps"), at, 2, &["NAME=VALUE"]);
    fails("eval resnet32-standard --shard 3/2 --out r", at, 2, &["3/2", "2/8"]);
    fs::write(at.join("my.toml"), "version = 1\nabout = 'x'\n[[attack]]\nname = 'pgd'\n").unwrap();
    fails("eval resnet32-standard --suite my.toml --out r", at, 3, &["my.toml", "name", "id"]);
    fails("eval --resume nothing", at, 3, &["nothing", "does not exist"]);
    fails("verify nothing", at, 3, &["nothing", "does not exist"]);
    fails("merge nothing --out r", at, 3, &["nothing"]);
    fs::write(at.join("weights.pth"), b"PK\x03\x04 not really").unwrap();
    fails("eval weights.pth --data shapes10 --out r", at, 2, &["--arch"]);
    fails("eval weights.pth --arch resnet20 --data shapes10 --out r", at, 3, &["weights.pth"]);
    fs::write(at.join("bad.toml"), "name = 'x'\nfiel = 'y'\n").unwrap();
    fails("eval bad.toml --data shapes10 --out r", at, 3, &["bad.toml", "did you mean 'file'"]);
    fails("report nothing --out r.html", at, 3, &["nothing"]);
    assert!(!at.join("r").exists(), "a refused run leaves nothing behind");
}

/// Would catch a field that `make bench` reads and that is not there, and operations counted otherwise
/// than by hand: a ResNet-32 multiplies and adds 68,862,592 times an image.
#[test]
fn a_pass_is_measured_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let line = "workload pass --arch resnet32 --batch 3 --seconds 0.01 --view folded --threads 1";
    let pass: Value = serde_json::from_str(&done(line, folder.path())).unwrap();
    // The first convolution, ten of the first stage, one that widens and nine of each other stage,
    // and the fully connected layer: kernel, channels in and out, pixels.
    let stage = |width: u64, side: u64| 9 * width * width * side * side;
    let widening = |to: u64, side: u64| 9 * (to / 2) * to * side * side;
    let multiply_adds = 9 * 3 * 16 * 32 * 32
        + 10 * stage(16, 32)
        + (widening(32, 16) + 9 * stage(32, 16))
        + (widening(64, 8) + 9 * stage(64, 8))
        + 64 * 10;
    assert_eq!(multiply_adds, 68_862_592);
    assert_eq!(pass["flops"], 2 * multiply_adds);
    assert_eq!((&pass["view"], &pass["chunk"]), (&"folded".into(), &3.into()));
    for rate in ["images_per_second", "forward_images_per_second"] {
        assert!(pass[rate].as_f64().unwrap() > 0.0, "{pass}");
    }
    assert!(pass["passes"].as_u64().unwrap() >= 1, "{pass}");
    assert!(pass.get("peak_mib").is_some(), "{pass}");
    fails("workload pass --arch resnet8", folder.path(), 2, &["resnet"]);
    fails("workload pass --seconds 0", folder.path(), 2, &["above 0"]);
}

/// Would catch a first command that fails where there is neither data nor network, a figure of
/// shapes10 under CIFAR-10's name, and a second call that stumbles over the first one's results.
#[test]
fn reproduce_works_without_data_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let arguments =
        ["reproduce", "--epochs", "1", "--n", "200", "--robust-n", "50", "--out", "out"];
    for _ in 0..2 {
        let mut command = resilience(&arguments, at);
        // Nobody listens on this port, so that the download fails at once.
        let output = command.env("RESILIENCE_MIRROR", "http://127.0.0.1:9").output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}");
        assert!(error.contains("This run used shapes10, not CIFAR-10"), "{error}");
        assert!(error.contains("a control is trained instead"), "{error}");
    }
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(at.join("out/summary.json")).unwrap()).unwrap();
    let models = summary["models"].as_array().unwrap();
    assert_eq!(models.len(), 2);
    for model in models {
        assert_eq!(model["dataset"]["name"], "shapes10");
        assert_eq!(model["curves"][0]["points"].as_array().unwrap().len(), 8);
        // What is left, at the usual radius and at the paper's, on fewer images.
        assert_eq!(
            (&model["robust"]["n"], &model["robust_threat"]["eps_text"]),
            (&50.into(), &"8/255".into())
        );
        let left = |eps: &str| {
            let evaluations = model["evaluations"].as_array().unwrap();
            let one = evaluations.iter().find(|e| e["eps_text"] == eps && e["suite"] == "quick");
            one.unwrap()["robust"]["correct"].as_u64().unwrap()
        };
        assert!(left("0.1") <= left("8/255"), "a larger ball leaves no more");
    }
    assert!(summary["run"]["notices"][0].as_str().unwrap().contains("shapes10"));
    let page = fs::read_to_string(at.join("out/report.html")).unwrap();
    let title = page.split("<title>").nth(1).and_then(|rest| rest.split("</title>").next());
    assert!(title.is_some_and(|t| t.contains("shapes10") && !t.contains("CIFAR")), "{title:?}");
    // A folder with another kind of run is left alone.
    done("eval out/resilience_model.toml --data shapes10 --n 20 --attack none --out plain", at);
    fails("reproduce --data shapes10 --n 20 --out plain", at, 2, &["no reproduction"]);
}

/// A training long enough to be interrupted after its first epoch.
const LONG: &str = "train --recipe fgsm-joint --data shapes10 --n 600 --epochs 4 --threads 2";

/// Starts the long training and waits until its first epoch is on the disk.
fn begin(at: &Path, out: &str) -> Child {
    let arguments = format!("{LONG} --out {out}.pth");
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let mut child = resilience(&arguments, at).stderr(Stdio::null()).spawn().unwrap();
    for _ in 0..1200 {
        if at.join(out).with_extension("checkpoint").exists() {
            return child;
        }
        sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    panic!("no checkpoint after 24 s: {:?}", child.wait());
}

/// Would catch a checkpoint that is half written when the process dies, or does not hold all that
/// decides how training goes on: killed and stopped runs end with the weights of an unbroken one.
#[test]
fn a_killed_training_resumes_to_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(&format!("{LONG} --out whole.pth"), at);

    let mut killed = begin(at, "killed");
    killed.kill().unwrap();
    assert!(!killed.wait().unwrap().success(), "it was killed before it was done");

    let mut stopped = begin(at, "stopped");
    let interrupt = Command::new("kill").args(["-INT", &stopped.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    assert_eq!(stopped.wait().unwrap().code(), Some(130));

    let whole = fs::read(at.join("whole.pth")).unwrap();
    for name in ["killed", "stopped"] {
        assert!(!at.join(name).with_extension("pth").exists(), "{name} was not done");
        done(&format!("{LONG} --resume --out {name}.pth"), at);
        assert_eq!(fs::read(at.join(name).with_extension("pth")).unwrap(), whole, "{name}");
    }
}

/// Would catch a state dict that PyTorch does not read, or reads as something else. Where python3
/// has no PyTorch this is skipped, and said so.
#[test]
fn python_reads_the_weights() {
    let python = std::env::var("RESILIENCE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_torch = Command::new(&python).args(["-c", "import torch"]).output();
    if !has_torch.is_ok_and(|output| output.status.success()) {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED: python3 has no PyTorch (RESILIENCE_PYTHON names another), so that the \
              weights were not read by it\n",
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(&format!("{TRAIN} --out model.pth"), at);
    let script = "import torch; s = torch.load('model.pth', weights_only=True); \
                  print([(k, list(v.shape), str(v.dtype)) for k, v in s.items()])";
    let output = Command::new(&python).args(["-c", script]).current_dir(at).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    for part in [
        "('conv1.weight', [32, 3, 3, 3], 'torch.float32')",
        "('conv1.bias', [32]",
        "('conv2.weight', [64, 32, 3, 3]",
        "('fc1.weight', [128, 4096]",
        "('fc2.bias', [10]",
    ] {
        assert!(text.contains(part), "{text}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Would catch a measurement that needs data, a table without the form that `eval` takes, and a
/// prediction that is not made, or drawn where no terminal is.
#[test]
fn times_are_measured_and_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(&format!("{TRAIN} --out model.pth"), at);
    let said = done("bench model.toml --n 10 --eps 2/255 --threads 1", at);
    for words in ["random images", "reference", "compiled", "linf 2/255", "autoattack-standard"] {
        assert!(said.contains(words), "'{words}' is not in {said}");
    }
    assert_eq!(said.matches("| eval ").count(), 1, "{said}");
    fails("bench model.pth", at, 2, &["--arch"]);
    fails("bench model.toml --eps 8/0", at, 2, &["radius"]);

    let eval = run("eval model.toml --data shapes10 --n 16 --attack fgsm --threads 1 --out r", at);
    let said = String::from_utf8(eval.stderr).unwrap();
    assert!(said.contains("attacks look at its ") && said.contains("predicted: at most"), "{said}");
    assert!(!said.contains("left in all"), "{said}");
}
