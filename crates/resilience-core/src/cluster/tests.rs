//! What schedulers are given, held against kept files and against what their readers make of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// With every character that a shell, sbatch, Kubernetes or YAML could take for its own.
const ODD: &str = "my $(HOME) `model` it's 50% \"x\": yes #1.toml";

fn job(words: &[&str]) -> Job {
    Job {
        name: "resnet-8".to_owned(),
        program: "/opt/bin/resilience".to_owned(),
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        shards: 4,
        threads: 2,
        folder: "runs/resnet 8".to_owned(),
    }
}

fn plain() -> Job {
    job(&["eval", "resnet2b", "--eps", "2/255", "--data", "cifar10", "--threads", "2"])
}

fn on_slurm() -> Slurm {
    Slurm {
        at: "/home/me/my work".to_owned(),
        options: ["--time=04:00:00", "--partition=cpu"].map(str::to_owned).to_vec(),
        variables: vec![("RESILIENCE_DATA".to_owned(), "/data/cifar 10".to_owned())],
    }
}

fn on_kubernetes(storage: Storage) -> Kubernetes {
    let image = "registry.example/resilience:0.1".to_owned();
    Kubernetes { image, storage, memory: Some("4Gi".to_owned()) }
}

fn text(files: &[JobFile], name: &str) -> String {
    files.iter().find(|file| file.name == name).unwrap().text.clone()
}

fn yaml(files: &[JobFile], name: &str) -> Value {
    serde_saphyr::from_str(&text(files, name)).unwrap()
}

/// Would catch any change of what is submitted, among them a lost `--requeue`, another array and a merge
/// that does not wait.
#[test]
fn slurm_files_are_as_kept() {
    let files = slurm(&plain(), &on_slurm()).unwrap();
    assert_eq!(
        files.iter().map(|file| file.name).collect::<Vec<_>>(),
        ["array.sh", "merge.sh", SUBMIT]
    );
    for file in &files {
        insta::assert_snapshot!(format!("slurm_{}", file.name.replace('.', "_")), file.text);
    }
}

/// Would catch any change of what is applied.
#[test]
fn kubernetes_files_are_as_kept() {
    let files = kubernetes(&plain(), &on_kubernetes(Storage::Size("10Gi".to_owned()))).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.name).collect();
    assert_eq!(names, ["claim.yaml", "shards.yaml", "merge.yaml", SUBMIT]);
    for file in &files {
        insta::assert_snapshot!(format!("kubernetes_{}", file.name.replace('.', "_")), file.text);
    }
}

/// Would catch a name that a shell or sbatch takes apart: bash itself reads the words back.
#[cfg(unix)]
#[test]
fn odd_names_reach_the_program_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut odd = job(&["eval", ODD, "--set", "a=$b"]);
    odd.program = "./say".to_owned();
    odd.folder = format!("{ODD} run");
    let files = slurm(&odd, &on_slurm()).unwrap();
    let script = text(&files, "array.sh");
    let say = "say() { printf '%s\\n' \"$@\"; }\n";
    let script = script.replace("./say", "say").replace("export RESILIENCE_DATA", "export UNUSED");
    let path = folder.path().join("array.sh");
    std::fs::write(&path, format!("{say}{script}")).unwrap();
    let mut bash = std::process::Command::new("bash");
    let output = bash.arg(&path).env("SLURM_ARRAY_TASK_ID", "3").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let out = format!("{ODD} run/shard-3");
    let expected = ["eval", ODD, "--set", "a=$b", "--shard", "auto/4", "--out", out.as_str()];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    let log = script.lines().find(|line| line.starts_with("#SBATCH --output=")).unwrap();
    let log = shlex::split(log.trim_start_matches("#SBATCH ")).unwrap();
    assert_eq!(log, [format!("--output={} run/logs/shard-%a.out", ODD.replace('%', "%%"))]);
}

/// Would catch a field that an indexed job needs and that is missing, misspelt or of another type, and a
/// word that YAML or Kubernetes reads as something else.
#[test]
fn manifests_have_what_an_indexed_job_needs() {
    let words = ["eval", ODD, "yes", "1e3", "--seed", "0"];
    let files =
        kubernetes(&job(&words), &on_kubernetes(Storage::Claim("shared".to_owned()))).unwrap();
    assert!(files.iter().all(|file| file.name != "claim.yaml"), "the claim is there already");
    let shards = yaml(&files, "shards.yaml");
    assert_eq!((&shards["apiVersion"], &shards["kind"]), (&"batch/v1".into(), &"Job".into()));
    let spec = &shards["spec"];
    assert_eq!(spec["completionMode"], "Indexed");
    for (field, value) in [("completions", 4), ("parallelism", 4), ("backoffLimitPerIndex", 3)] {
        assert_eq!(spec[field], value, "{field}");
    }
    let pod = &spec["template"]["spec"];
    assert_eq!(
        pod["restartPolicy"], "Never",
        "backoffLimitPerIndex and podFailurePolicy ask for it"
    );
    let container = &pod["containers"][0];
    assert_eq!(container["env"][0]["name"], "JOB_COMPLETIONS");
    assert_eq!(container["env"][0]["value"], "4", "values of variables are text");
    let rule = &spec["podFailurePolicy"]["rules"][1];
    assert_eq!(rule["onExitCodes"]["containerName"], container["name"]);
    let args: Vec<String> = serde_json::from_value(container["args"].clone()).unwrap();
    let expanded: Vec<String> = args.iter().map(|arg| expand(arg, "2")).collect();
    assert_eq!(expanded[..6], words);
    let rest = ["--shard", "auto", "--out", "runs/resnet 8/shard-2"];
    assert_eq!(expanded[6..], rest);
    for name in ["shards.yaml", "merge.yaml"] {
        let pod = yaml(&files, name)["spec"]["template"]["spec"].clone();
        assert_eq!(pod["volumes"][0]["persistentVolumeClaim"]["claimName"], "shared");
        assert_eq!(pod["volumes"][0]["name"], pod["containers"][0]["volumeMounts"][0]["name"]);
    }
    let merge = yaml(&files, "merge.yaml");
    let args: Vec<String> =
        serde_json::from_value(merge["spec"]["template"]["spec"]["containers"][0]["args"].clone())
            .unwrap();
    let shards: BTreeSet<_> = args[1..5].iter().cloned().collect();
    assert_eq!(shards, (0..4).map(|index| format!("runs/resnet 8/shard-{index}")).collect());
}

/// As Kubernetes puts the values of variables into arguments: `$$` is a dollar, `$(NAME)` a value.
fn expand(argument: &str, index: &str) -> String {
    let parts: Vec<String> =
        argument.split("$$").map(|part| part.replace("$(JOB_COMPLETION_INDEX)", index)).collect();
    parts.join("$")
}

/// Would catch a file that a scheduler refuses, or takes for something else, being written all the same.
#[test]
fn what_a_scheduler_cannot_take_is_refused() {
    let refused = |error: ClusterError, words: &[&str]| {
        let error = error.to_string();
        for word in words {
            assert!(error.contains(word), "'{word}' is not in: {error}");
        }
    };
    refused(slurm(&job(&["eval", "a\nb"]), &on_slurm()).unwrap_err(), &["a\\nb", "control"]);
    for (option, words) in [
        ("--array=1-9", &["--array", "--shards"][..]),
        ("-c4", &["-c4", "--threads"]),
        ("time=1", &["dashes"]),
        ("--time=1\nrm -r /", &["control"]),
    ] {
        let options = vec![option.to_owned()];
        refused(slurm(&plain(), &Slurm { options, ..on_slurm() }).unwrap_err(), words);
    }
    let claim = || on_kubernetes(Storage::Claim("shared".to_owned()));
    for name in ["", "My", "1a", "a_b", "a-", &"a".repeat(41)] {
        let named = Job { name: name.to_owned(), ..plain() };
        refused(kubernetes(&named, &claim()).unwrap_err(), &["--name", "lower-case"]);
    }
    let odd = on_kubernetes(Storage::Claim("Shared".to_owned()));
    refused(kubernetes(&plain(), &odd).unwrap_err(), &["--claim"]);
    for folder in ["/runs", "../runs", "a/../../b", ""] {
        let outside = Job { folder: folder.to_owned(), ..plain() };
        refused(kubernetes(&outside, &claim()).unwrap_err(), &["inside the claim", "/resilience"]);
    }
}
