//! An evaluation as a Slurm job array.

use askama::Template;

use super::{ClusterError, Job, JobFile, SUBMIT, WHOLE, line, quoted, without_control};

/// What is Slurm's own.
#[derive(Clone, Debug, Default)]
pub struct Slurm {
    /// The folder that the jobs run in, absolute: what other paths are relative to.
    pub at: String,
    /// Further options of sbatch, as `--time=04:00:00`.
    pub options: Vec<String>,
    /// Variables that every job needs.
    pub variables: Vec<(String, String)>,
}

/// What the array job itself decides, by its long and short names.
const OURS: [&str; 13] = [
    "--array",
    "-a",
    "--cpus-per-task",
    "-c",
    "--ntasks",
    "-n",
    "--dependency",
    "-d",
    "--chdir",
    "-D",
    "--signal",
    "--requeue",
    "--no-requeue",
];

#[derive(Template)]
#[template(path = "cluster/array.sh", escape = "none")]
struct Array<'a> {
    job: &'a Job,
    heading: String,
    name: String,
    at: String,
    out: String,
    err: String,
    slurm: &'a Slurm,
    variables: &'a [String],
    command: String,
}

#[derive(Template)]
#[template(path = "cluster/merge.sh", escape = "none")]
struct Merge<'a> {
    heading: String,
    name: String,
    at: String,
    out: String,
    err: String,
    slurm: &'a Slurm,
    variables: &'a [String],
    command: String,
}

#[derive(Template)]
#[template(path = "cluster/submit_slurm.sh", escape = "none")]
struct Submit {
    heading: String,
    at: String,
    array: String,
    merge: String,
    whole: String,
}

/// The files: `array.sh`, `merge.sh` and `submit.sh`.
pub fn slurm(job: &Job, slurm: &Slurm) -> Result<Vec<JobFile>, ClusterError> {
    job.check()?;
    slurm.options.iter().try_for_each(|option| check_option(option))?;
    let values = slurm.variables.iter().map(|(_, value)| value);
    values.chain([&slurm.at]).try_for_each(|word| without_control(word))?;
    let variables = slurm
        .variables
        .iter()
        .map(|(name, value)| Ok(format!("{name}={}", quoted(value)?)))
        .collect::<Result<Vec<_>, ClusterError>>()?;
    let array = Array {
        job,
        heading: job.heading(),
        name: quoted(&job.name)?,
        at: quoted(&slurm.at)?,
        out: log("shard-%a.out", job)?,
        err: log("shard-%a.err", job)?,
        slurm,
        variables: &variables,
        command: shard_command(job)?,
    };
    let merge = Merge {
        heading: job.heading(),
        name: quoted(&format!("{}-merge", job.name))?,
        at: quoted(&slurm.at)?,
        out: log("merge.out", job)?,
        err: log("merge.err", job)?,
        slurm,
        variables: &variables,
        command: merge_command(job)?,
    };
    let submit = Submit {
        heading: job.heading(),
        at: quoted(&slurm.at)?,
        array: quoted(&job.below("array.sh"))?,
        merge: quoted(&job.below("merge.sh"))?,
        whole: quoted(&job.below(WHOLE))?,
    };
    Ok(vec![
        JobFile { name: "array.sh", text: array.render()? },
        JobFile { name: "merge.sh", text: merge.render()? },
        JobFile { name: SUBMIT, text: submit.render()? },
    ])
}

/// What a task runs. Slurm gives the number, so that a part of the array can be submitted again.
fn shard_command(job: &Job) -> Result<String, ClusterError> {
    let words = std::iter::once(&job.program).chain(&job.words).cloned().collect::<Vec<_>>();
    Ok(format!(
        "{} --shard auto/{} --out {}\"$SLURM_ARRAY_TASK_ID\"",
        line(&words)?,
        job.shards,
        quoted(&job.below("shard-"))?
    ))
}

fn merge_command(job: &Job) -> Result<String, ClusterError> {
    let shards = (1..=job.shards).map(|shard| job.below(&format!("shard-{shard}")));
    let words = [job.program.clone(), "merge".to_owned()].into_iter().chain(shards);
    let words: Vec<String> = words.chain(["--out".to_owned(), job.below(WHOLE)]).collect();
    line(&words)
}

/// The path of a log as an option of sbatch: there `%` begins a pattern, and a blank is quoted as in a
/// shell.
fn log(name: &str, job: &Job) -> Result<String, ClusterError> {
    quoted(&format!("{}/logs/{name}", job.folder.trim_end_matches('/').replace('%', "%%")))
}

fn check_option(option: &str) -> Result<(), ClusterError> {
    without_control(option)?;
    let refuse = |reason| Err(ClusterError::Sbatch { option: option.to_owned(), reason });
    let name = option.split(['=', ' ']).next().unwrap_or(option);
    if !name.starts_with('-') {
        return refuse("expected an option of sbatch with its dashes, as --sbatch=--time=04:00:00");
    }
    // `-c4` is `-c 4`.
    let short = name.get(..2).filter(|_| !name.starts_with("--"));
    if OURS.iter().any(|ours| *ours == name || Some(*ours) == short) {
        return refuse(
            "the files set this themselves, from --shards, --threads and --out; leave it out",
        );
    }
    Ok(())
}
