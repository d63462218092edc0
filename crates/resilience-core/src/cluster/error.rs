//! What can go wrong where many machines share a run.

/// A task that does not know its shard.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// No scheduler that we know.
    #[error(
        "--shard auto: SLURM_ARRAY_TASK_ID (a task of a Slurm array) and JOB_COMPLETION_INDEX (a pod of \
         an indexed Kubernetes job) are both not set; expected one of them; start the command with \
         `sbatch --array=1-M` or as an indexed job, or name the shard with --shard K/M"
    )]
    Neither,
    /// Two of them.
    #[error(
        "--shard auto: SLURM_ARRAY_TASK_ID is '{slurm}' and JOB_COMPLETION_INDEX is '{kubernetes}' at \
         once; expected one of the two; unset the one that is not meant, or name the shard \
         with --shard K/M"
    )]
    Both {
        /// The one.
        slurm: String,
        /// The other.
        kubernetes: String,
    },
    /// A variable that is not what it should be.
    #[error("--shard auto: {name}: expected {expected}, found {found}; {remedy}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
        /// What to do.
        remedy: String,
    },
}

/// Files for a scheduler that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A word with a line break, or another character that no script can hold in one line.
    #[error("{word:?} holds a control character, which no job file can hold; leave it out")]
    Control {
        /// The word.
        word: String,
    },
    /// A name that Kubernetes does not take.
    #[error(
        "'{name}' is no name for a Kubernetes {what}: expected at most {longest} lower-case letters, \
         digits and '-', with a letter first and no '-' last; give another one with {option}"
    )]
    Name {
        /// `job`, `claim`.
        what: &'static str,
        /// The name.
        name: String,
        /// Characters that it may have.
        longest: usize,
        /// Where it is given.
        option: &'static str,
    },
    /// A folder outside the claim.
    #[error(
        "--out '{folder}': expected a path inside the claim, relative to where it is mounted ({mount}) \
         and without '..'; give such a one"
    )]
    OutsideClaim {
        /// The folder.
        folder: String,
        /// Where the claim is mounted.
        mount: &'static str,
    },
    /// An option of sbatch that we set, or that is none.
    #[error("--sbatch '{option}': {reason}")]
    Sbatch {
        /// The option.
        option: String,
        /// Why not, and what to do.
        reason: &'static str,
    },
    /// A template that cannot be filled in.
    #[error(transparent)]
    Template(#[from] askama::Error),
    /// A manifest that cannot be written as YAML.
    #[error("the manifest cannot be written as YAML: {reason}")]
    Yaml {
        /// Why.
        reason: String,
    },
}
