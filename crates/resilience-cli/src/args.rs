//! The command line, as typed.

mod inspect;
mod leaderboard;
mod pull;
mod shard;
mod submit;
mod train;
mod workload;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use resilience_core::manifest::{Channels, MEAN, STD, channels};
use resilience_core::plan::Keep;
use resilience_core::record::LabelSource;
use resilience_core::threat::{Eps, Norm};
use resilience_core::view::Precision;

pub use self::inspect::Inspect;
pub use self::leaderboard::Leaderboard;
pub use self::pull::Pull;
pub use self::shard::ShardArg;
pub use self::submit::Submit;
pub use self::train::{Options, Train};
pub use self::workload::{Workload, WorkloadArgs};
use crate::error::CliError;

/// How robust an image classifier is, against what, with what certainty.
#[derive(Debug, Parser)]
#[command(
    name = "resilience",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    after_help = crate::exit::TABLE
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Threads to compute with [default: all cores; beside a GPU half of them, at most 8]. Results are bit
    /// for bit the same only for the same number.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Where networks compute: cpu, cuda (the first CUDA device) or cuda:N. All else that attacks
    /// compute stays on the processor; ONNX models are for cpu alone so far.
    #[arg(long, global = true, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the paper's experiment: train ResilienceCNN on FGSM examples, compare it with baselines.
    Reproduce(Reproduce),
    /// Train a network.
    Train(Train),
    /// Train networks in several ways and compare them on equal terms.
    Compare(Compare),
    /// Attack models and measure what is left: robust accuracy, as an upper bound.
    Eval(Eval),
    /// Look for reasons not to trust a run's figures.
    Audit(Audit),
    /// Check a run's evidence: every stored example, every figure, nothing taken on trust.
    Verify(Verify),
    /// Join the shards of a run.
    Merge(Merge),
    /// Write the files that let Slurm or Kubernetes do an evaluation on many machines.
    Submit(Submit),
    /// Write a run's outcomes as CSV, or its adversarial images for NumPy.
    Export(Export),
    /// Write one HTML page of one or several finished runs.
    Report(Report),
    /// Show what others have published: robust accuracies under AutoAttack, and under corruptions.
    Leaderboard(Leaderboard),
    /// Measure how fast a model is on this machine, and predict how long each suite would take.
    Bench(Bench),
    /// Fetch the published weights of models by their manifests.
    Pull(Pull),
    /// Say what a model's file is, weights, an ONNX graph or a TorchScript module, and write a manifest to start
    /// from.
    Inspect(Inspect),
    /// List what the program knows.
    List(List),
    /// Explain an architecture, a data set, an attack, a doubt, a suite, a recipe, a method or a known
    /// model.
    Explain(Explain),
    /// Measure one piece of work, as one JSON line (used by `make bench`).
    #[command(hide = true)]
    Workload(WorkloadArgs),
}

/// Where the images come from.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// A data set's name or the folder or archive that holds it; or images of your own: a .npz or
    /// .safetensors with x and y, x.npy beside y.npy, a folder of pictures with a folder for each class, a
    /// data manifest (.toml). Without it: `$RESILIENCE_DATA`, the cache folder, ./data, and at last a
    /// download of CIFAR-10.
    #[arg(long, value_name = "NAME|PATH")]
    pub data: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Results go to DIR: report.html, summary.json, run.sqlite, and what \
    `resilience train` writes for resilience_model.pth (a state dict that torch.load reads).\n\
    The known baselines are two CIFAR-10 ResNet-32 checkpoints; their files are looked for in \
    $RESILIENCE_MODELS, in a folder `models` beside the data, and in the cache folder, where `resilience \
    pull resnet32-linf8-adversarial resnet32-standard` puts them. Where none is found, a control is \
    trained instead.")]
pub struct Reproduce {
    #[command(flatten)]
    pub data: DataArgs,
    /// Passes over the training images.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: u32,
    /// Seed of the initial weights, the order and the augmentation.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// A model to compare with: a manifest (TOML), or the name of a known one; may be repeated.
    #[arg(long, value_name = "MODEL")]
    pub baseline: Vec<String>,
    /// Train and evaluate on the first N images of each split only: a quick look, said so in the
    /// report.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub n: Option<u64>,
    /// Evaluate robust accuracy (the suite `quick`) on the first N test images.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub robust_n: u64,
    /// Go on from where an interrupted run in the same folder was, with the same options.
    #[arg(long)]
    pub resume: bool,
    /// Folder for the results; an earlier reproduction in it is replaced.
    #[arg(long, value_name = "DIR", default_value = "results/reproduce")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every network and seed is a run in a folder of its own, DIR/NAME-seedK, trained and     attacked one after the other. What is finished there is not done again: stop with Ctrl-C, run the     same command, and it goes on. Networks can be trained on several machines with --only and --seed;     copy their folders into one DIR and run the command there, which checks them and writes the report     of all.\n    Without all of its runs the report is of those that are there, and says so."
)]
pub struct Compare {
    /// What to compare (TOML; see suites/recipes.toml).
    #[arg(value_name = "SUITE.toml")]
    pub suite: PathBuf,
    #[command(flatten)]
    pub data: DataArgs,
    /// Train and judge on the first N images of each split only.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub n: Option<u64>,
    /// Only this network or ensemble, and what it learns from; may be given again.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Only this seed; may be given again. Ensembles are then left out.
    #[arg(long, value_name = "K")]
    pub seed: Vec<u64>,
    /// The comparison's folder.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// What the model subtracts and divides by inside.
#[derive(Debug, Default, Args)]
pub struct Normalisation {
    /// Mean of each channel on the scale where pixels lie in [0, 1], `0.4914,0.4822,0.4465`.
    #[arg(long, value_delimiter = ',', value_name = "R,G,B", requires = "std")]
    pub mean: Option<Vec<f64>>,
    /// Standard deviation of each channel, likewise.
    #[arg(long, value_delimiter = ',', value_name = "R,G,B", requires = "mean")]
    pub std: Option<Vec<f64>>,
}

impl Normalisation {
    /// Mean and standard deviation; 0 and 1 where none are given.
    pub fn values(&self) -> Result<([f64; 3], [f64; 3]), CliError> {
        let three = |values: &Option<Vec<f64>>, default: f64, name, rule: Channels| match values {
            None => Ok([default; 3]),
            Some(values) => channels(values, rule).ok_or_else(|| {
                CliError::Usage(format!("--{name}: expected {}, found {values:?}", rule.expected))
            }),
        };
        let mean = three(&self.mean, 0.0, "mean", MEAN)?;
        let std = three(&self.std, 1.0, "std", STD)?;
        Ok((mean, std))
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is an argument of its own")]
#[derive(Debug, Args)]
#[command(
    after_help = "Without --suite and --attack the suite `quick` is run. Robust accuracy is \
    always an upper bound: a stronger attack can only lower it.\n\
    Several models are compared pairwise on the same images. Several radii give a curve; what is \
    broken within a smaller ball counts as broken within a larger one, and the last radius given is \
    the headline.\n\
    A run that was stopped or killed goes on with `resilience eval --resume DIR`. `resilience submit` \
    writes what a cluster needs to do it in shards."
)]
pub struct Eval {
    /// A manifest (TOML) of a model or an ensemble, a weights file with --arch (and --mean, --std), an
    /// ONNX or TorchScript file (with --mean, --std, unless it normalises by itself), or a known model's
    /// name (see `resilience list models`).
    #[arg(required_unless_present = "resume", value_name = "MODEL")]
    pub models: Vec<String>,
    /// The architecture of MODELs that are weights files, with its parameters where they are not the
    /// defaults, `wideresnet-34-10` or `resnet18:classes=100` (see `resilience explain NAME`).
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    #[command(flatten)]
    pub normalisation: Normalisation,
    #[command(flatten)]
    pub data: DataArgs,
    /// Evaluate on the first N test images [default: all].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub n: Option<u64>,
    /// Attacks in order: a suite's name (see `resilience list suites`) or its file (TOML).
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "attack")]
    pub suite: Option<String>,
    /// One attack (see `resilience list attacks`) on all images, or `none`.
    #[arg(long, value_name = "NAME|none")]
    pub attack: Option<String>,
    /// A setting of the attack, such as steps=50; may be repeated (see `resilience explain NAME`).
    #[arg(long, value_name = "NAME=VALUE", requires = "attack", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Norm of the perturbation.
    #[arg(long, default_value = "linf", ignore_case = true)]
    pub norm: Norm,
    /// Radius, on the scale where pixels lie in [0, 1], such as 8/255 or 0.1; several, separated by
    /// commas, give a curve [default: 8/255 for linf, 0.5 for l2].
    #[arg(long, value_delimiter = ',')]
    pub eps: Vec<Eps>,
    /// Whose labels the attack pushes away from (with --attack; a suite says so itself).
    #[arg(long, value_enum, default_value_t = Labels::True)]
    pub labels: Labels,
    /// Let the attack look for the nearest adversarial example of each image, at whatever distance, which
    /// gives the whole curve of accuracy against eps in one run (minimum-norm attacks only).
    #[arg(long, requires = "attack")]
    pub nearest: bool,
    /// Make the examples on each of the models in turn and show them to all of them, which gives a matrix
    /// of how attacks transfer.
    #[arg(long, conflicts_with = "nearest")]
    pub transfer: bool,
    /// Run each attack of the suite on all images, not only on what the ones before have left.
    #[arg(long)]
    pub individual: bool,
    /// Which adversarial images to keep: those that broke an image are what `verify` checks.
    #[arg(long, value_enum, default_value_t = KeepArg::Broken)]
    pub keep: KeepArg,
    /// How exactly attacks look at a model; whatever they find, the model itself decides, in f32.
    #[arg(long, value_enum, default_value_t = PrecisionArg::Auto)]
    pub precision: PrecisionArg,
    /// Passes that a noisy model's verdicts are the mean of.
    #[arg(long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub passes: u32,
    /// Do not look for reasons not to trust the figures (`resilience audit` does it later).
    #[arg(long)]
    pub no_audit: bool,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Consecutive images that are attacked together; shards are made of whole blocks.
    #[arg(long, value_name = "N", default_value_t = resilience::evaluate::BLOCK, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub block: u64,
    /// Do only part K of M of the images; `resilience merge` joins the parts. `auto` is the part of this
    /// task of a Slurm array or an indexed Kubernetes job, `auto/M` that of M which has its number, so that
    /// a few tasks can be submitted again. With either, a run of the same plan in DIR goes on.
    #[arg(long, value_name = "K/M|auto|auto/M")]
    pub shard: Option<ShardArg>,
    /// Replace an earlier run in DIR.
    #[arg(long)]
    pub overwrite: bool,
    /// Go on with the run in DIR, by its own plan; only --data and MODELs, in the same order, may be
    /// given beside, for where they lie now.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "out", "overwrite", "suite", "attack", "eps", "n", "shard", "individual",
    ])]
    pub resume: Option<PathBuf>,
    /// Folder for the results: report.html, summary.json, run.sqlite.
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every stored example is held against the data and the model: inside [0, 1], \
    inside the ball (in f64), misclassified. That proves that robust accuracy is at most what the \
    run says, and nothing about how much lower it may be. --replay attacks survivors again with their \
    own random numbers: it shows that the run did what it says."
)]
pub struct Verify {
    /// Folder of the run.
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// Where the models lie now, in the order of the run [default: as the run called them].
    #[arg(long, value_name = "MODEL")]
    pub model: Vec<String>,
    #[command(flatten)]
    pub data: DataArgs,
    /// Attack so many survivors of each attack again, chosen at random.
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub replay: u64,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Attacks can only lower an accuracy, so that whatever weakens an attack makes a model \
    look robust. An audit tries the models on the first images of the run and looks for signs of that: \
    `resilience list doubts` names them, `resilience explain NAME` tells how each is looked for. `eval` \
    and `reproduce` do this by themselves; merged shards need it."
)]
pub struct Audit {
    /// Folder of the run.
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// Where the models lie now, in the order of the run [default: as the run called them].
    #[arg(long, value_name = "MODEL")]
    pub model: Vec<String>,
    #[command(flatten)]
    pub data: DataArgs,
}

#[derive(Debug, Args)]
pub struct Merge {
    /// Folders of the finished shards, all of them.
    #[arg(required = true, value_name = "DIR")]
    pub runs: Vec<PathBuf>,
    /// Folder for the joined run.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Export {
    /// Folder of the run.
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// csv: one line for each image and attack; npz: the images that broke a model, for NumPy
    /// (`x_adv`, `y`, `index`, `attack`), one file a model.
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// csv: the file to write [default: DIR/outcomes.csv]; npz: the folder to write to, one file a
    /// model [default: DIR].
    #[arg(long, value_name = "FILE|FOLDER")]
    pub out: Option<PathBuf>,
}

/// The forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    Csv,
    Npz,
}

/// Which adversarial images are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeepArg {
    None,
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrecisionArg {
    /// The fastest form of it on this machine, measured at the start.
    Auto,
    /// The fastest in f32.
    F32,
    /// bf16 between the first and the last layer.
    Bf16,
    /// The model itself: plain f32.
    Exact,
}

impl From<PrecisionArg> for Precision {
    fn from(argument: PrecisionArg) -> Self {
        match argument {
            PrecisionArg::Auto => Self::Auto,
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::Bf16 => Self::Bf16,
            PrecisionArg::Exact => Self::Exact,
        }
    }
}

impl From<KeepArg> for Keep {
    fn from(argument: KeepArg) -> Self {
        match argument {
            KeepArg::None => Self::None,
            KeepArg::Broken => Self::Broken,
        }
    }
}

#[derive(Debug, Args)]
pub struct Report {
    /// Folders of finished runs (each holds a run.sqlite).
    #[arg(required = true, value_name = "DIR")]
    pub runs: Vec<PathBuf>,
    /// The page to write.
    #[arg(long, value_name = "FILE.html")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "No data set is needed: without --data, random images are measured with. Nothing is \
    attacked and nothing is written; the times are predicted from what was measured, by the same \
    rule as `resilience eval` predicts its own."
)]
pub struct Bench {
    /// A manifest (TOML) of a model or an ensemble, a weights file with --arch (and --mean, --std), an
    /// ONNX or TorchScript file (with --mean, --std, unless it normalises by itself), or a known model's
    /// name (see `resilience list models`).
    #[arg(value_name = "MODEL")]
    pub model: String,
    /// The architecture of a MODEL that is a weights file.
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    #[command(flatten)]
    pub normalisation: Normalisation,
    /// Measure with the first test images of this data set: its name or its place.
    #[arg(long, value_name = "NAME|PATH")]
    pub data: Option<String>,
    /// Predict for so many images.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub n: u64,
    /// Norm of the perturbation.
    #[arg(long, default_value = "linf", ignore_case = true)]
    pub norm: Norm,
    /// Radius [default: 8/255 for linf, 0.5 for l2].
    #[arg(long)]
    pub eps: Option<Eps>,
}

#[derive(Debug, Args)]
pub struct List {
    /// What to list; everything without it.
    #[arg(value_enum)]
    pub what: Option<Registry>,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// The name of an architecture, a data set, an attack, a suite, a recipe, a method or a known model.
    pub name: String,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Registry {
    Architectures,
    Datasets,
    Attacks,
    Suites,
    Doubts,
    Recipes,
    Methods,
    Models,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Labels {
    /// The true classes (torchattacks' convention).
    True,
    /// The model's own predictions (ART's convention when no labels are given).
    Predicted,
    /// Both, one after the other.
    Both,
}

impl Labels {
    /// The sources that are meant.
    pub fn sources(self) -> &'static [LabelSource] {
        match self {
            Self::True => &[LabelSource::True],
            Self::Predicted => &[LabelSource::Predicted],
            Self::Both => &[LabelSource::True, LabelSource::Predicted],
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as steps=50")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "expected a number above 0".to_owned())?;
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err("expected a number above 0".into())
    }
}
