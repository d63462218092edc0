//! `resilience train`: trains a network and writes its weights, with all that is known of them.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use resilience::model::Native;
use resilience::train::{self, Other, Plan};
use resilience::zoo;
use resilience_core::context::Context;
use resilience_core::dataset::{self, Images, Places, Split};
use resilience_core::format::{atomic, pth, safetensors, weights};
use resilience_core::manifest::{Format, Manifest};
use resilience_core::method::Inner;
use resilience_core::record::TrainingRecord;
use resilience_core::view::View;
use resilience_core::vote::Vote;
use serde::{Deserialize, Serialize};

use crate::args::{Normalisation, Train};
use crate::environment::Environment;
use crate::error::CliError;
use crate::logs::Logs;
use crate::models::{self, Loaded};
use crate::screen::Screen;

/// A network to be trained, and where to put it.
pub struct Job<'a> {
    /// What the model is called in tables.
    pub name: String,
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
    let method = arguments.options.method(&arguments.recipe)?;
    let architecture = zoo::find(&method.architecture)?;
    let data = arguments.data.data.as_deref();
    let others = arguments.with.iter().map(|model| other(model, data)).collect::<Result<_, _>>()?;
    let name = format!("{} ({})", architecture.title(), method.recipe);
    let plan = Plan::new(method, arguments.seed, others)?
        .with_checkpoint(arguments.out.with_extension("checkpoint"), arguments.resume);
    let source = dataset::find(data, &Places::of_user(), screen)?;
    let images = source.load(Split::Train, arguments.n.map(|n| n as usize), screen)?;
    let job = Job { name, plan, images: &images, out: arguments.out.clone() };
    train(job, environment, screen)?;
    let manifest = arguments.out.with_extension("toml");
    screen.print(&format!(
        "weights: {}\nevaluate them: resilience eval {} --out DIR",
        arguments.out.display(),
        manifest.display()
    ));
    Ok(())
}

/// A model that a recipe learns from, in the form that is fastest here.
pub fn other(model: &str, data: Option<&str>) -> Result<Other, CliError> {
    let manifest = models::resolve(model, None, &Normalisation { mean: None, std: None })?;
    let loaded = models::load(model, manifest, data)?;
    if loaded.describe.vote() == Some(Vote::Majority) {
        return Err(CliError::Usage(format!(
            "{model} answers by a majority vote, of which a network learns nothing: let it vote by \
             probabilities"
        )));
    }
    Ok(Other {
        name: loaded.describe.name().to_owned(),
        sha256: loaded.describe.weights_sha256(),
        model: match loaded.model.reference.form(View::Compiled)? {
            Some(form) => Rc::from(form),
            None => Rc::from(loaded.model.reference),
        },
    })
}

/// Trains, writes the files and gives the model back as it would be loaded from them.
pub fn train(job: Job, environment: &Environment, screen: &mut Screen) -> Result<Loaded, CliError> {
    let (record, method) = (job.images.record(), &job.plan.method);
    let held_out = job.plan.held_out(job.images.len());
    screen.note(&format!(
        "training {} with {} on {} images of {}{} ({} epochs, seed {})",
        job.name,
        method.recipe,
        job.images.len() - held_out,
        record.name,
        if held_out > 0 { format!(", the last {held_out} held out") } else { String::new() },
        method.epochs,
        job.plan.seed
    ));
    make_folder(&job.out)?;
    models::check_fit(&method.architecture, None, job.images)?;
    let native = Native::initial(&method.architecture, job.plan.seed, method.mean, method.std)?;
    let native = match method.inner {
        Inner::F32 => native,
        Inner::Bf16 => native.with_inner_bf16(),
    };
    let mut logs = Logs::new(&job.name, &job.plan, &job.out, environment);
    let mut context = Context { observer: screen, clock: environment };
    let trained = train::train(&mut context, &native, job.images, &job.plan, &mut |epochs| {
        logs.write(epochs)
    })?;

    let state = trained.weights;
    safetensors::write(&job.out.with_extension("safetensors"), &state)?;
    pth::write(&job.out, &state)?;
    let last = job.out.with_extension("last.safetensors");
    if trained.chosen < trained.epochs.len() as u32 {
        safetensors::write(&last, &trained.last)?;
        screen.note(&format!(
            "the weights of epoch {} are kept: the best on held-out images; those of the last are in {}",
            trained.chosen,
            last.display()
        ));
    } else {
        // What an earlier training left there is not of this one.
        remove(&last)?;
    }
    let sha256 = weights::sha256_file(&job.out)?;
    let training = TrainingRecord {
        recipe: method.recipe.clone(),
        seed: job.plan.seed,
        dataset: record,
        settings: job.plan.settings(),
        kept: Some(trained.chosen),
        machine: Some(environment.machine()),
        epochs: trained.epochs,
    };
    let beside = job.out.with_extension("training.json");
    let file = TrainingFile { version: VERSION, weights_sha256: sha256.clone(), training };
    let json = serde_json::to_vec_pretty(&file).expect("numbers and texts can be written as JSON");
    atomic::write(&beside, &json).map_err(resilience_core::format::FormatError::from)?;
    let manifest = Manifest {
        name: job.name,
        file: job.out.file_name().map_or_else(|| job.out.clone(), PathBuf::from),
        url: None,
        size: None,
        sha256: Some(sha256.clone()),
        format: Format::Weights,
        architecture: method.architecture.clone(),
        input_size: None,
        mean: method.mean,
        std: method.std,
        source: format!(
            "trained by resilience {} with recipe {}, seed {}",
            env!("CARGO_PKG_VERSION"),
            method.recipe,
            job.plan.seed
        ),
        license: None,
        // Of the user's own images other files may be evaluated on.
        dataset: dataset::spec(job.images.name()).map(|spec| spec.id.to_owned()),
        input_noise: 0.0,
        input_levels: None,
        notes: None,
    };
    let path = job.out.with_extension("toml");
    manifest.write(&path)?;
    let manifest = Manifest { file: job.out, ..manifest };
    models::assemble(&path.to_string_lossy(), manifest, &state, sha256, Some(file.training))
}

/// Removes a file, where it is there.
fn remove(path: &Path) -> Result<(), CliError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(CliError::Io { doing: "remove", path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
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
    // The version first: another one has other fields.
    let json: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if json["version"] != VERSION {
        return Err(damaged(format!("it is of version {}, not {VERSION}", json["version"])));
    }
    let file: TrainingFile =
        serde_json::from_value(json).map_err(|error| damaged(error.to_string()))?;
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
