//! What `submit` is asked for.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("scheduler").required(true).args(["slurm", "kubernetes"]),
    after_help = "Nothing is submitted: DIR/submit.sh does that. What the evaluation needs is looked for now, \
    as `resilience eval` would, so that a mistake shows before the queue does. Shards go to \
    DIR/shard-K and are joined in DIR/whole. One that is stopped or killed goes on when it is started \
    again.\n\
    DIR, models and data are to lie on what all machines share. Slurm's jobs run in the folder that \
    `submit` is run in, pods in the root of their claim; relative paths are relative to that.\n\n\
    Example:\n  resilience submit --slurm --shards 8 --threads 4 --sbatch=--time=04:00:00 --out run -- \
    eval mine.toml --eps 8/255"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Submit {
    /// Write a job array for Slurm.
    #[arg(long)]
    pub slurm: bool,
    /// Write an indexed job for Kubernetes (1.29 or later).
    #[arg(long, requires = "image")]
    pub kubernetes: bool,
    /// In how many parts, each with --threads threads.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub shards: u64,
    /// Folder for the files, the shards, their logs and the whole run.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What the scheduler calls it [default: resilience- and the folder's name].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The program, as the machines call it [default: Slurm: this one; Kubernetes: resilience].
    #[arg(long, value_name = "PATH")]
    pub program: Option<String>,
    /// An option of sbatch for all jobs, such as --sbatch=--time=04:00:00; may be repeated.
    #[arg(long, value_name = "OPTION", requires = "slurm", allow_hyphen_values = true)]
    pub sbatch: Vec<String>,
    /// The image of the pods, with the program in it.
    #[arg(long, value_name = "IMAGE", requires = "kubernetes")]
    pub image: Option<String>,
    /// The `PersistentVolumeClaim` that holds models, data and DIR [default: one is written, of --storage].
    #[arg(long, value_name = "NAME", requires = "kubernetes", conflicts_with = "storage")]
    pub claim: Option<String>,
    /// Size of the claim that is written.
    #[arg(long, value_name = "SIZE", requires = "kubernetes", default_value = "10Gi")]
    pub storage: String,
    /// Memory of a pod, such as 4Gi.
    #[arg(long, value_name = "SIZE", requires = "kubernetes")]
    pub memory: Option<String>,
    /// Check only arguments: models and data are not here, but where the machines find them.
    #[arg(long)]
    pub unchecked: bool,
    /// Replace other files of an earlier `submit` in DIR; its shards stay.
    #[arg(long)]
    pub overwrite: bool,
    /// The evaluation, as it would be typed, without --out and --shard.
    #[arg(last = true, required = true, value_name = "eval MODEL ...")]
    pub eval: Vec<String>,
}
