//! An evaluation as an indexed Kubernetes job.

use askama::Template;
use serde_json::{Value, json};

use super::{ClusterError, Job, JobFile, SUBMIT, WHOLE, quoted, without_control};

/// Where the shared folder is mounted in every pod, and what paths are relative to.
const MOUNT: &str = "/resilience";

/// A shard that fails is tried so many times more; where its node goes away, as often as it takes.
const RETRIES: u64 = 3;

/// Exit codes after which trying again is of no use: usage, and bad input.
const HOPELESS: [u8; 2] = [2, 3];

/// What is Kubernetes' own.
#[derive(Clone, Debug)]
pub struct Kubernetes {
    /// The image of the pods.
    pub image: String,
    /// The shared folder.
    pub storage: Storage,
    /// Memory of a pod, as Kubernetes writes it, `4Gi`.
    pub memory: Option<String>,
}

/// A `PersistentVolumeClaim` that many nodes may write to.
#[derive(Clone, Debug)]
pub enum Storage {
    /// One that is there.
    Claim(String),
    /// One that is made, of this size, `10Gi`, and has the job's name.
    Size(String),
}

#[derive(Template)]
#[template(path = "cluster/submit_kubernetes.sh", escape = "none")]
struct Submit<'a> {
    heading: String,
    name: &'a str,
    claim: Option<String>,
    shards: String,
    merge: String,
    whole: String,
}

/// The files: `claim.yaml` where one is made, `shards.yaml`, `merge.yaml` and `submit.sh`.
pub fn kubernetes(job: &Job, kubernetes: &Kubernetes) -> Result<Vec<JobFile>, ClusterError> {
    job.check()?;
    check_folder(&job.folder)?;
    // The pods of an index are called after the job, the index and five more characters.
    check_name("job", &job.name, 40, "--name")?;
    without_control(&kubernetes.image)?;
    let mut files = Vec::new();
    let claim = match &kubernetes.storage {
        Storage::Claim(claim) => {
            check_name("claim", claim, 63, "--claim")?;
            claim
        }
        Storage::Size(size) => {
            files.push(manifest("claim.yaml", job, &claim(&job.name, size))?);
            &job.name
        }
    };
    let submit = Submit {
        heading: job.heading(),
        name: &job.name,
        claim: (!files.is_empty()).then(|| quoted(&job.below("claim.yaml"))).transpose()?,
        shards: quoted(&job.below("shards.yaml"))?,
        merge: quoted(&job.below("merge.yaml"))?,
        whole: quoted(&job.below(WHOLE))?,
    };
    files.push(manifest("shards.yaml", job, &shards(job, kubernetes, claim))?);
    files.push(manifest("merge.yaml", job, &merge(job, kubernetes, claim))?);
    files.push(JobFile { name: SUBMIT, text: submit.render()? });
    Ok(files)
}

fn manifest(name: &'static str, job: &Job, value: &Value) -> Result<JobFile, ClusterError> {
    let yaml = serde_saphyr::to_string(value)
        .map_err(|error| ClusterError::Yaml { reason: error.to_string() })?;
    Ok(JobFile { name, text: format!("# {}\n{yaml}", job.heading()) })
}

fn claim(name: &str, size: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": name },
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "resources": { "requests": { "storage": size } },
        },
    })
}

/// One index a shard. The pod learns its index from Kubernetes, and from us how many there are.
fn shards(job: &Job, kubernetes: &Kubernetes, claim: &str) -> Value {
    let mut args: Vec<String> = job.words.iter().map(|word| literal(word)).collect();
    args.extend(["--shard", "auto", "--out"].map(str::to_owned));
    args.push(format!("{}$(JOB_COMPLETION_INDEX)", literal(&job.below("shard-"))));
    let mut pod = pod(job, kubernetes, (claim, job.threads), &args);
    let container = &mut pod["spec"]["containers"][0];
    container["env"] = json!([{ "name": "JOB_COMPLETIONS", "value": job.shards.to_string() }]);
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": job.name },
        "spec": {
            "completionMode": "Indexed",
            "completions": job.shards,
            "parallelism": job.shards,
            "backoffLimitPerIndex": RETRIES,
            // A pod whose node is drained is no failure of the shard.
            "podFailurePolicy": { "rules": [
                { "action": "Ignore", "onPodConditions": [
                    { "type": "DisruptionTarget", "status": "True" },
                ] },
                { "action": "FailIndex", "onExitCodes": {
                    "containerName": "resilience", "operator": "In", "values": HOPELESS,
                } },
            ] },
            "template": pod,
        },
    })
}

fn merge(job: &Job, kubernetes: &Kubernetes, claim: &str) -> Value {
    let shards = (0..job.shards).map(|index| literal(&job.below(&format!("shard-{index}"))));
    let mut args: Vec<String> = std::iter::once("merge".to_owned()).chain(shards).collect();
    args.extend(["--out".to_owned(), literal(&job.below(WHOLE))]);
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": { "name": merge_name(&job.name) },
        "spec": { "backoffLimit": RETRIES, "template": pod(job, kubernetes, (claim, 1), &args) },
    })
}

fn merge_name(job: &str) -> String {
    format!("{job}-merge")
}

fn pod(
    job: &Job,
    kubernetes: &Kubernetes,
    (claim, threads): (&str, u32),
    args: &[String],
) -> Value {
    let mut size = json!({ "cpu": threads.to_string() });
    if let Some(memory) = &kubernetes.memory {
        size["memory"] = json!(memory);
    }
    json!({
        "metadata": { "labels": { "app.kubernetes.io/name": job.name } },
        "spec": {
            // A failed pod stays to be looked at; the job makes another.
            "restartPolicy": "Never",
            "containers": [{
                "name": "resilience",
                "image": kubernetes.image,
                "command": [literal(&job.program)],
                "args": args,
                "workingDir": MOUNT,
                "resources": { "requests": size, "limits": size },
                "volumeMounts": [{ "name": "work", "mountPath": MOUNT }],
            }],
            "volumes": [{ "name": "work", "persistentVolumeClaim": { "claimName": claim } }],
        },
    })
}

/// A word in which Kubernetes puts the value of no variable: there `$(NAME)` is one, and `$$` a dollar.
fn literal(word: &str) -> String {
    word.replace('$', "$$")
}

fn check_folder(folder: &str) -> Result<(), ClusterError> {
    let path = std::path::Path::new(folder);
    let inside =
        |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
    if !folder.is_empty() && path.components().all(inside) {
        return Ok(());
    }
    Err(ClusterError::OutsideClaim { folder: folder.to_owned(), mount: MOUNT })
}

/// A label as of RFC 1035, which is a name for everything in Kubernetes.
fn check_name(
    what: &'static str,
    name: &str,
    longest: usize,
    option: &'static str,
) -> Result<(), ClusterError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = name.len() <= longest
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-');
    if good {
        return Ok(());
    }
    Err(ClusterError::Name { what, name: name.to_owned(), longest, option })
}
