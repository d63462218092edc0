//! What can go wrong in the command, and the exit code that it ends with.

use std::path::PathBuf;

use resilience::EngineError;
use resilience_core::cluster::{ClusterError, TaskError};
use resilience_core::comparison::ComparisonError;
use resilience_core::dataset::DatasetError;
use resilience_core::download::DownloadError;
use resilience_core::export::ExportError;
use resilience_core::format::FormatError;
use resilience_core::format::atomic::AtomicError;
use resilience_core::leaderboard::LeaderboardError;
use resilience_core::manifest::ManifestError;
use resilience_core::method::MethodError;
use resilience_core::plan::Difference;
use resilience_core::pull::PullError;
use resilience_core::report::ReportError;
use resilience_core::store::{MergeError, StoreError};
use resilience_core::suite::SuiteError;
use resilience_core::summary::SummaryError;

use crate::exit;

/// An error that ends the command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The arguments contradict each other.
    #[error("{0}")]
    Usage(String),
    /// The engine's.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The data set's.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A weights file's.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A manifest's.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The run store's.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The summary's.
    #[error(transparent)]
    Summary(#[from] SummaryError),
    /// The report's.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The weights that a manifest names are nowhere.
    #[error(
        "the weights of '{model}' are not at hand: no file '{file}' in {searched}; {remedy}put it there, or \
         set RESILIENCE_MODELS to its folder"
    )]
    WeightsMissing {
        /// The model's name.
        model: String,
        /// The weights file.
        file: String,
        /// Folders that were looked into.
        searched: String,
        /// How they are fetched, and `, or `; or where they come from.
        remedy: String,
    },
    /// Weights that were not fetched.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// Weights that no architecture fits.
    #[error(
        "{path} fits none of the architectures that were tried; `resilience list architectures` names all, \
         `resilience inspect {path} --arch NAME` lists what does not fit one of them"
    )]
    NoArchitecture {
        /// The weights file.
        path: PathBuf,
    },
    /// A model and a data set that do not belong together.
    #[error(
        "{model} takes {expected}, but {dataset} has {found}; choose another model or data set; of images of \
         your own a data manifest says which classes they have"
    )]
    Mismatch {
        /// The model's name.
        model: String,
        /// Input and classes of the model.
        expected: String,
        /// The data set.
        dataset: String,
        /// Its shape and classes.
        found: String,
    },
    /// Members that cannot vote on the same images.
    #[error(
        "ensemble '{ensemble}': its members must take the same images and know the same classes, but \
         '{first}' takes {takes}, and '{other}' {other_takes}; leave one of them out"
    )]
    Members {
        /// The ensemble's name.
        ensemble: String,
        /// A member.
        first: String,
        /// Its images and classes.
        takes: String,
        /// Another member.
        other: String,
        /// Its images and classes.
        other_takes: String,
    },
    /// A suite's.
    #[error(transparent)]
    Suite(#[from] SuiteError),
    /// A comparison's.
    #[error(transparent)]
    Comparison(#[from] ComparisonError),
    /// A method's.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// Shards that do not make a whole.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The published claims'.
    #[error(transparent)]
    Leaderboard(#[from] LeaderboardError),
    /// A task without a shard.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Files for a scheduler.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A file that cannot be written.
    #[error(transparent)]
    Write(#[from] AtomicError),
    /// The run that is to go on was begun with another plan.
    #[error(
        "{dir} holds a run of another plan: {}: expected {}, found {}; choose another --out, or move it \
         away",
        .different.field,
        .different.found,
        .different.expected
    )]
    OtherPlan {
        /// Its folder.
        dir: PathBuf,
        /// Its first field that is not as it is now.
        different: Difference,
    },
    /// An export's.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Other images than those of the run.
    #[error(
        "the data are not those of the run: expected {expected}; found {found}; name the right \
         folder with --data"
    )]
    OtherData {
        /// What the run was made on.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Another model than that of the run.
    #[error(
        "model '{model}' is not that of the run: its {what} should be {expected}, but is {found}; \
         name the right one"
    )]
    OtherModel {
        /// The model's name.
        model: String,
        /// What differs.
        what: &'static str,
        /// As the run has it.
        expected: String,
        /// As it is.
        found: String,
    },
    /// Verification found something that does not hold.
    #[error("{dir}: {problems}; the run's figures are not to be trusted")]
    NotVerified {
        /// The run's folder.
        dir: PathBuf,
        /// How many of what.
        problems: String,
    },
    /// A training record that cannot be read.
    #[error("{path} is no training record: {reason}; move it away, or train again")]
    TrainingFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A run that ended before it was done.
    #[error("{dir} holds a run that is not finished; its figures are not all there: run it again")]
    Unfinished {
        /// Its folder.
        dir: PathBuf,
    },
    /// Another process is at work on the same run.
    #[error("another process is at work in {path}: wait until it ends, or stop it")]
    Busy {
        /// The run's folder.
        path: PathBuf,
    },
    /// A file or folder that the operating system refuses.
    #[error("cannot {doing} {path}: {source}; check that the folder exists and may be written")]
    Io {
        /// `create`.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl CliError {
    /// The exit code of `exit::TABLE`.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Engine(
                EngineError::UnknownName { .. }
                | EngineError::NormNotSupported { .. }
                | EngineError::UnknownSetting { .. }
                | EngineError::Setting { .. }
                | EngineError::RecipeNorm { .. }
                | EngineError::RecipeOthers { .. },
            )
            | Self::Leaderboard(
                LeaderboardError::UnknownDataset { .. }
                | LeaderboardError::UnknownThreat { .. }
                | LeaderboardError::Nothing { .. },
            )
            | Self::Suite(SuiteError::Unknown { .. })
            | Self::Task(_)
            | Self::Cluster(_) => exit::USAGE,
            Self::NotVerified { .. } => exit::NOT_VERIFIED,
            Self::Engine(EngineError::Cancelled)
            | Self::Dataset(
                DatasetError::Cancelled(_)
                | DatasetError::Download(DownloadError::Cancelled { .. }),
            )
            | Self::Pull(PullError::Download(DownloadError::Cancelled { .. })) => exit::INTERRUPTED,
            Self::Unfinished { .. }
            | Self::Engine(EngineError::OutsideThreat { .. } | EngineError::LossNotFinite { .. }) => {
                exit::INCOMPLETE
            }
            Self::Io { .. }
            | Self::Busy { .. }
            | Self::Store(
                StoreError::ReadOnly { .. } | StoreError::Full { .. } | StoreError::Locked { .. },
            )
            | Self::Engine(EngineError::Store(
                StoreError::ReadOnly { .. } | StoreError::Full { .. } | StoreError::Locked { .. },
            ))
            | Self::Dataset(
                DatasetError::Unreachable { .. }
                | DatasetError::NoCache { .. }
                | DatasetError::Download(_),
            )
            | Self::Pull(
                PullError::Unreachable { .. } | PullError::Download(_) | PullError::NoCache,
            ) => exit::ENVIRONMENT,
            error if refused_by_system(error) => exit::ENVIRONMENT,
            _ => exit::BAD_INPUT,
        }
    }
}

/// Whether the cause is that the machine has no room or gives no permission.
fn refused_by_system(error: &CliError) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if matches!(kind, Some(PermissionDenied | ReadOnlyFilesystem | StorageFull)) {
            return true;
        }
        source = error.source();
    }
    false
}
