//! `resilience workload`: one piece of work, measured, as one JSON line, in the form of the peers' scripts.

mod pass;

use resilience::evaluate;
use resilience::model::Native;
use resilience::train::{self, Plan as Training};
use resilience_core::context::{Clock, Context};
use resilience_core::dataset::{self, Places, Split};
use resilience_core::event::Silent;
use resilience_core::method::Method;
use resilience_core::plan::{Keep, Kind, Plan, Shard, Stage};
use resilience_core::record::{LabelSource, Scope};
use resilience_core::store::RunStore;
use resilience_core::threat::{Eps, Norm, Threat};
use resilience_core::view::Precision;
use resilience_core::{suite, summary};
use serde_json::json;

use crate::args::{Normalisation, Options, Workload};
use crate::environment::Environment;
use crate::error::CliError;
use crate::models;
use crate::planning::{self, Ground};
use crate::results;
use crate::screen::Screen;

/// Measures one workload.
pub fn run(
    workload: Workload,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let result = match workload {
        Workload::Train { data, steps, recipe } => {
            train(data.data.as_deref(), steps, &recipe, environment)?
        }
        Workload::Fgsm { data, model, n } => {
            fgsm(data.data.as_deref(), &model, n as usize, environment)?
        }
        Workload::Ceiling => ceiling(environment)?,
        Workload::Pass { arch, model, batch, seconds, view } => {
            let native = pass::network(&arch, model.as_deref())?;
            pass::run(native, u64::from(batch), seconds, view, environment)?
        }
        Workload::Suite { data, model, n, suite: name, norm, eps } => {
            let what = (name.as_str(), norm, eps);
            suite(data.data.as_deref(), &model, n as usize, what, environment)?
        }
    };
    screen.print(&result.to_string());
    Ok(())
}

/// GFLOP/s of libtorch's products.
fn ceiling(environment: &Environment) -> Result<serde_json::Value, CliError> {
    let [single, half] = evaluate::ceilings(environment)?;
    Ok(json!({
        "f32_gflops": single.gflops,
        "f32_side": single.side,
        "bf16_gflops": half.gflops,
        "bf16_side": half.side,
        "threads": resilience::threads(),
        "seconds": environment.seconds(),
    }))
}

fn threat() -> Result<Threat, CliError> {
    let usage = |error: resilience_core::threat::ThreatError| CliError::Usage(error.to_string());
    planning::threat(Norm::Linf, Eps::new(0.1).map_err(usage)?)
}

/// The paper's training, augmentation included: the second of two epochs of so many steps.
fn train(
    data: Option<&str>,
    steps: u32,
    recipe: &str,
    environment: &Environment,
) -> Result<serde_json::Value, CliError> {
    let source = dataset::find(data, &Places::of_user(), &mut Silent)?;
    let options = Options { epochs: Some(2), ..Options::default() };
    let method = Method { recipe: recipe.to_owned(), ..options.method("resilience-cnn-paper")? };
    let batch = method.batch as usize;
    let plan = Training::new(method, 0, Vec::new())?;
    // Read whole and cut, so that the memory of the whole set is held, as on the other side.
    let images = source.load(Split::Train, Some(steps as usize * batch), &mut Silent)?;
    let native = Native::initial("resilience-cnn", 0, [0.0; 3], [1.0; 3])?;
    let mut context = Context { observer: &mut Silent, clock: environment };
    let trained = train::train(&mut context, &native, &images, &plan, &mut |_| Ok(()))?;
    let rate = trained.epochs.last().map(|epoch| epoch.images_per_second);
    Ok(json!({ "images_per_second": rate, "peak_mib": peak_mib() }))
}

/// FGSM at 0.1 with true labels and the prediction on its examples, clean pass included.
fn fgsm(
    data: Option<&str>,
    model: &str,
    n: usize,
    environment: &Environment,
) -> Result<serde_json::Value, CliError> {
    let ground = Ground { norm: Norm::Linf, n: n as u64, classes: 10 };
    let how = (LabelSource::True, Scope::All);
    let stages = vec![planning::stage("fgsm", &[], threat()?, how, ground)?];
    attacked(data, model, n, stages, environment)
}

/// A suite at one radius, clean pass included.
fn suite(
    data: Option<&str>,
    model: &str,
    n: usize,
    (name, norm, eps): (&str, Norm, Eps),
    environment: &Environment,
) -> Result<serde_json::Value, CliError> {
    let ground = Ground { norm, n: n as u64, classes: 10 };
    let stages = planning::suite_stages(&suite::find(name)?, &[eps], (false, true), ground)?.stages;
    attacked(data, model, n, stages, environment)
}

/// Images a second through all stages, with the run store on the disk, as a user has it.
fn attacked(
    data: Option<&str>,
    model: &str,
    n: usize,
    stages: Vec<Stage>,
    environment: &Environment,
) -> Result<serde_json::Value, CliError> {
    let described = models::resolve(model, None, &Normalisation { mean: None, std: None })?;
    let mut loaded = [models::load(model, described, data)?];
    let source = dataset::find(data, &Places::of_user(), &mut Silent)?;
    let images = source.load(Split::Test, Some(n), &mut Silent)?;
    let plan = Plan {
        kind: Kind::Eval,
        seed: 0,
        dataset: images.record(),
        // What it takes to find out how fast the model is also warms it up.
        models: results::probe(
            &mut loaded,
            &images,
            (10, Precision::Auto, Shard::WHOLE),
            environment,
        )?,
        headline: stages.last().map(|stage| stage.threat.clone()),
        stages,
        keep: Keep::Broken,
        block: evaluate::BLOCK,
        chunk: evaluate::CHUNK,
        threads: resilience::threads(),
        shard: Shard::WHOLE,
    };
    let folder = tempfile::tempdir().map_err(|source| CliError::Io {
        doing: "create",
        path: std::env::temp_dir(),
        source,
    })?;
    let provenance = environment.provenance(0, Vec::new());
    let mut store = RunStore::create(folder.path(), &provenance, &plan)?;
    let record = loaded[0].describe.on(&images, plan.models[0].passes);
    let mut context = Context { observer: &mut Silent, clock: environment };
    let began = environment.seconds();
    evaluate::run(&mut context, &plan, &[(&loaded[0].model, &record)], &images, &mut store)?;
    let seconds = environment.seconds() - began;
    let counted = summary::from_store(&store)?;
    let model = &counted.models[0];
    let adversarial = match (&model.robust, model.attacks.first()) {
        (_, Some(attack)) => attack.adversarial.correct,
        (Some(robust), None) => robust.correct,
        (None, None) => model.clean.correct,
    };
    Ok(json!({
        "images_per_second": images.len() as f64 / seconds,
        "seconds": seconds,
        "view": plan.models[0].view,
        "chunk": plan.models[0].chunk,
        "peak_mib": peak_mib(),
        "clean": model.clean.correct,
        "adversarial": adversarial,
        "n": images.len(),
    }))
}

/// The most memory that this process has held, where the system tells.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib / 1024.0)
}
