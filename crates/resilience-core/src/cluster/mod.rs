//! One evaluation on many machines: which shard a task does, and the files that a scheduler takes.
//!
//! [`shard`] reads a scheduler's variables. [`slurm()`] writes an array job, [`kubernetes()`] an indexed
//! job, each with the job that merges its shards and the script that submits both. Nothing here submits
//! anything.

mod error;
mod kubernetes;
mod slurm;
mod task;

pub use self::error::{ClusterError, TaskError};
pub use self::kubernetes::{Kubernetes, Storage, kubernetes};
pub use self::slurm::{Slurm, slurm};
pub use self::task::shard;

/// An evaluation in shards.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the scheduler calls it.
    pub name: String,
    /// The program.
    pub program: String,
    /// The words after it: `eval`, models and options, without `--shard` and `--out`.
    pub words: Vec<String>,
    /// In how many parts.
    pub shards: u64,
    /// Threads of each of them; the words say so too.
    pub threads: u32,
    /// The folder of everything that is written, as the machines call it.
    pub folder: String,
}

/// A file for a scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFile {
    /// Its name in the job's folder.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// Name of the script that submits everything.
pub const SUBMIT: &str = "submit.sh";

/// Name of the folder that the shards are merged into.
pub const WHOLE: &str = "whole";

impl Job {
    /// What stands at the head of every file.
    fn heading(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        format!(
            "Written by `resilience submit` {version}: {} shards of one evaluation.",
            self.shards
        )
    }

    /// A file or folder below the job's.
    fn below(&self, name: &str) -> String {
        format!("{}/{name}", self.folder.trim_end_matches('/'))
    }

    /// No line of a script or a manifest may be torn.
    fn check(&self) -> Result<(), ClusterError> {
        let rest = [&self.name, &self.program, &self.folder];
        self.words.iter().chain(rest).try_for_each(|word| without_control(word))
    }
}

fn without_control(word: &str) -> Result<(), ClusterError> {
    if word.chars().any(char::is_control) {
        return Err(ClusterError::Control { word: word.to_owned() });
    }
    Ok(())
}

/// A word as a shell needs it.
fn quoted(word: &str) -> Result<String, ClusterError> {
    match shlex::try_quote(word) {
        Ok(word) => Ok(word.into_owned()),
        Err(_) => Err(ClusterError::Control { word: word.to_owned() }),
    }
}

/// Words as a shell needs them.
fn line(words: &[String]) -> Result<String, ClusterError> {
    Ok(words.iter().map(|word| quoted(word)).collect::<Result<Vec<_>, _>>()?.join(" "))
}

#[cfg(test)]
mod tests;
