//! `resilience train`: trains a network and writes its weights, with all that is known of them.

use std::path::{Path, PathBuf};

use resilience::augment::Augmentation;
use resilience::model::Native;
use resilience::train::{self, Checkpoint, Inner, Plan};
use resilience::{recipe, zoo};
use resilience_core::context::Context;
use resilience_core::dataset::{self, Images, Places, Split};
use resilience_core::format::{atomic, pth, safetensors, weights};
use resilience_core::manifest::Manifest;
use resilience_core::record::TrainingRecord;
use resilience_core::threat::Threat;
use serde::{Deserialize, Serialize};

use crate::args::Train;
use crate::environment::Environment;
use crate::error::CliError;
use crate::models::{self, Loaded};
use crate::screen::Screen;

/// A network to be trained, and where to put it.
pub struct Job<'a> {
    /// What the model is called in tables.
    pub name: String,
    /// Architecture id.
    pub architecture: &'static str,
    /// Mean and standard deviation inside the model.
    pub normalisation: ([f64; 3], [f64; 3]),
    /// How to train.
    pub plan: Plan,
    /// The data.
    pub images: &'a Images,
    /// The weights file.
    pub out: PathBuf,
}

/// Version of [`TrainingFile`] that this program writes and reads.
const VERSION: u32 = 1;

/// The training curve, beside the weights that it led to.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainingFile {
    version: u32,
    weights_sha256: String,
    training: TrainingRecord,
}

/// Trains as the arguments say.
pub fn run(
    arguments: &Train,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    check_out(&arguments.out)?;
    let architecture = zoo::find(&arguments.arch)?;
    let recipe = recipe::find(&arguments.recipe)?;
    let threat = Threat::new(arguments.norm, arguments.eps)
        .map_err(|error| CliError::Usage(error.to_string()))?;
    let normalisation = arguments.normalisation.values()?;
    let source = dataset::find(arguments.data.data.as_deref(), &Places::of_user(), screen)?;
    let images = source.load(Split::Train, arguments.n.map(|n| n as usize), screen)?;
    let job = Job {
        name: format!("{} ({})", architecture.title, recipe.id),
        architecture: architecture.id,
        normalisation,
        plan: Plan {
            recipe,
            threat,
            epochs: arguments.epochs,
            batch: arguments.batch as usize,
            learning_rate: arguments.learning_rate,
            seed: arguments.seed,
            augmentation: Augmentation {
                flip: !arguments.no_flip,
                rotation: arguments.rotation,
                interpolation: arguments.interpolation.into(),
            },
            inner: arguments.inner.into(),
            checkpoint: Some(Checkpoint {
                path: arguments.out.with_extension("checkpoint"),
                resume: arguments.resume,
            }),
        },
        images: &images,
        out: arguments.out.clone(),
    };
    train(job, environment, screen)?;
    let manifest = arguments.out.with_extension("toml");
    screen.print(&format!(
        "weights: {}\nevaluate them: resilience eval {} --out DIR",
        arguments.out.display(),
        manifest.display()
    ));
    Ok(())
}

/// Trains, writes the files and gives the model back as it would be loaded from them.
pub fn train(job: Job, environment: &Environment, screen: &mut Screen) -> Result<Loaded, CliError> {
    let record = job.images.record();
    screen.note(&format!(
        "training {} with {} on {} images of {} ({} epochs, seed {})",
        job.name, job.plan.recipe.id, record.n, record.name, job.plan.epochs, job.plan.seed
    ));
    make_folder(&job.out)?;
    let (mean, std) = job.normalisation;
    let native = Native::initial(job.architecture, job.plan.seed, mean, std)?;
    let native = match job.plan.inner {
        Inner::F32 => native,
        Inner::Bf16 => native.with_inner_bf16(),
    };
    models::check_fit(job.architecture, None, job.images)?;
    let mut context = Context { observer: screen, clock: environment };
    let epochs = train::train(&mut context, &native, job.images, &job.plan)?;

    let state = native.network().state_dict()?;
    safetensors::write(&job.out.with_extension("safetensors"), &state)?;
    pth::write(&job.out, &state)?;
    let sha256 = weights::sha256_file(&job.out)?;
    let training = TrainingRecord {
        recipe: job.plan.recipe.id.to_owned(),
        seed: job.plan.seed,
        dataset: record,
        settings: job.plan.settings(),
        epochs,
    };
    let beside = job.out.with_extension("training.json");
    let file = TrainingFile { version: VERSION, weights_sha256: sha256.clone(), training };
    let json = serde_json::to_vec_pretty(&file).expect("numbers and texts can be written as JSON");
    atomic::write(&beside, &json).map_err(resilience_core::format::FormatError::from)?;
    let manifest = Manifest {
        name: job.name,
        file: job.out.file_name().map_or_else(|| job.out.clone(), PathBuf::from),
        sha256: Some(sha256.clone()),
        architecture: job.architecture.to_owned(),
        mean,
        std,
        source: format!(
            "trained by resilience {} with recipe {}, seed {}",
            env!("CARGO_PKG_VERSION"),
            job.plan.recipe.id,
            job.plan.seed
        ),
        license: None,
        dataset: Some(job.images.name().to_owned()),
        input_noise: 0.0,
        notes: None,
    };
    let path = job.out.with_extension("toml");
    manifest.write(&path)?;
    let manifest = Manifest { file: job.out, ..manifest };
    models::assemble(&path.to_string_lossy(), manifest, &state, sha256, Some(file.training))
}

/// The training record that lies beside weights with this checksum, if there is one.
pub fn training_beside(weights: &Path, sha256: &str) -> Result<Option<TrainingRecord>, CliError> {
    let path = weights.with_extension("training.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CliError::Io { doing: "read", path, source }),
    };
    let damaged = |reason: String| CliError::TrainingFile { path: path.clone(), reason };
    let file: TrainingFile =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if file.version != VERSION {
        return Err(damaged(format!("it is of version {}, not {VERSION}", file.version)));
    }
    // A record of other weights says nothing of these.
    Ok((file.weights_sha256 == sha256).then_some(file.training))
}

/// The weights file must end in .pth or .pt: what lies beside it has the same name with another
/// ending, and must not be taken for it.
fn check_out(out: &Path) -> Result<(), CliError> {
    let ending = out.extension().is_some_and(|ending| ending == "pth" || ending == "pt");
    if ending && !out.is_dir() {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "--out {} is no name for weights: expected a file that ends in .pth or .pt (the other \
         files are written beside it)",
        out.display()
    )))
}

/// Makes the folder that `file` is to lie in.
fn make_folder(file: &Path) -> Result<(), CliError> {
    let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|source| CliError::Io {
        doing: "create folder",
        path: folder.to_owned(),
        source,
    })
}
