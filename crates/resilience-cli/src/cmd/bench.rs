//! `resilience bench`: throughput as one JSON line, in the form of the peers' script.

use resilience::augment::{Augmentation, Interpolation};
use resilience::evaluate::{self, Setup};
use resilience::model::Native;
use resilience::train::{self, Plan};
use resilience::{attack, recipe};
use resilience_core::context::{Clock, Context};
use resilience_core::dataset::{self, Places, Split};
use resilience_core::event::Silent;
use resilience_core::record::LabelSource;
use resilience_core::threat::{Eps, Norm, Threat};
use serde_json::json;

use crate::args::{Normalisation, Workload};
use crate::environment::Environment;
use crate::error::CliError;
use crate::models;
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
    };
    screen.print(&result.to_string());
    Ok(())
}

fn threat() -> Result<Threat, CliError> {
    let usage = |error: resilience_core::threat::ThreatError| CliError::Usage(error.to_string());
    Threat::new(Norm::Linf, Eps::new(0.1).map_err(usage)?).map_err(usage)
}

/// The paper's training, augmentation included: the second of two epochs of so many steps.
fn train(
    data: Option<&str>,
    steps: u32,
    recipe: &str,
    environment: &Environment,
) -> Result<serde_json::Value, CliError> {
    let source = dataset::find(data, &Places::of_user(), &mut Silent)?;
    let plan = Plan {
        recipe: recipe::find(recipe)?,
        threat: threat()?,
        epochs: 2,
        batch: 128,
        learning_rate: 0.001,
        seed: 0,
        augmentation: Augmentation {
            flip: true,
            rotation: 15.0,
            interpolation: Interpolation::Nearest,
        },
        checkpoint: None,
    };
    // Read whole and cut, so that the memory of the whole set is held, as on the other side.
    let images = source.load(Split::Train, Some(steps as usize * plan.batch), &mut Silent)?;
    let native = Native::initial("resilience-cnn", 0, [0.0; 3], [1.0; 3])?;
    let mut context = Context { observer: &mut Silent, clock: environment };
    let epochs = train::train(&mut context, &native, &images, &plan)?;
    let rate = epochs.last().map(|epoch| epoch.images_per_second);
    Ok(json!({ "images_per_second": rate, "peak_mib": peak_mib() }))
}

/// FGSM at 0.1 with true labels and the prediction on its examples, clean pass included.
fn fgsm(
    data: Option<&str>,
    model: &str,
    n: usize,
    environment: &Environment,
) -> Result<serde_json::Value, CliError> {
    let manifest = models::resolve(model, None, &Normalisation { mean: None, std: None })?;
    let loaded = models::load(manifest, data)?;
    let source = dataset::find(data, &Places::of_user(), &mut Silent)?;
    let images = source.load(Split::Test, Some(n), &mut Silent)?;
    let setup = Setup {
        attack: attack::find("fgsm")?,
        threat: threat()?,
        labels: LabelSource::True,
        curve: false,
    };
    let mut context = Context { observer: &mut Silent, clock: environment };
    let first = images.clone().first(evaluate::CHUNK);
    let clean = evaluate::clean(&mut context, &loaded.model, &first)?;
    evaluate::attack(&mut context, &loaded.model, &first, &clean, setup, &[])?;

    let began = environment.seconds();
    let clean = evaluate::clean(&mut context, &loaded.model, &images)?;
    let outcome = evaluate::attack(&mut context, &loaded.model, &images, &clean, setup, &[])?;
    let rate = images.len() as f64 / (environment.seconds() - began);
    let correct = clean.iter().filter(|outcome| outcome.predicted == outcome.label).count();
    let adversarial = clean
        .iter()
        .zip(&outcome.outcomes)
        .filter(|(clean, attacked)| attacked.predicted == clean.label)
        .count();
    Ok(json!({
        "images_per_second": rate,
        "peak_mib": peak_mib(),
        "clean": correct,
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
