//! `resilience eval --resume DIR`: goes on with a run that was stopped or killed, by its own plan.

use std::path::Path;

use resilience_core::dataset::{self, ALTERED, Images, Places, Split};
use resilience_core::event::Observer;
use resilience_core::manifest::Described;
use resilience_core::plan::{ModelPlan, Plan};
use resilience_core::store::RunStore;

use crate::args::{Eval, Normalisation};
use crate::environment::Environment;
use crate::error::CliError;
use crate::models::{self, Loaded};
use crate::results;
use crate::screen::Screen;

/// Goes on, and writes what a run writes at its end.
pub fn run(
    dir: &Path,
    arguments: &Eval,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let mut store = RunStore::open(dir)?;
    let plan = store.plan().clone();
    if store.finished()? {
        screen.note(&format!("{} is finished; only its report is written anew", dir.display()));
        return results::write(dir, &store, screen);
    }
    let data = arguments.data.data.as_deref();
    let images = images(&plan, data, screen)?;
    let mut loaded = models(&plan, &arguments.models, data)?;
    results::look(&mut loaded, &plan)?;
    if plan.threads != resilience::threads() {
        screen.notice(&format!(
            "This run was begun with {} threads and goes on with {}: its random numbers are the same, \
             but floats are added in another order, so that single outcomes may differ from those of \
             an unbroken run. Give --threads {} for the same ones.",
            plan.threads,
            resilience::threads(),
            plan.threads
        ));
    }
    let (then, now) = (store.provenance()?.machine.device, environment.machine().device);
    if then != now {
        screen.notice(&format!(
            "This run was begun on {then} and goes on on {now}: its random numbers are the same, but the \
             network's floats are rounded otherwise, so that single outcomes may differ from those of an \
             unbroken run. Give --device {then} for the same ones."
        ));
    }
    results::evaluate(&plan, &loaded, &images, &mut store, environment, screen)?;
    if results::to_audit(&plan) && !arguments.no_audit {
        results::audit(&loaded, &images, &mut store, environment, screen)?;
    }
    results::write(dir, &store, screen)
}

/// The images of a plan, found by name or path, and held against its checksum.
pub fn images(
    plan: &Plan,
    data: Option<&str>,
    observer: &mut dyn Observer,
) -> Result<Images, CliError> {
    let n = plan.dataset.n as usize;
    // Without a path it is looked for by name, where data usually are.
    let name = plan.dataset.name.strip_suffix(ALTERED).unwrap_or(&plan.dataset.name);
    let Some(request) = data.or(dataset::spec(name).map(|spec| spec.id)) else {
        return Err(CliError::Usage(format!(
            "the run is over '{name}', images of your own: name their file or folder with --data"
        )));
    };
    let source = dataset::find(Some(request), &Places::of_user(), observer)?;
    let split = if plan.dataset.split == "train" { Split::Train } else { Split::Test };
    let images = source.load(split, Some(n), observer)?;
    let found = images.record();
    if found == plan.dataset {
        return Ok(images);
    }
    Err(CliError::OtherData {
        expected: format!(
            "the first {n} {} images of {} with checksum {}",
            plan.dataset.split, plan.dataset.name, plan.dataset.sha256
        ),
        found: format!("{} images of {} with checksum {}", found.n, found.name, found.sha256),
    })
}

/// The models of a plan, found where the run found them or where they lie `now`, and held against
/// their checksums.
pub fn models(plan: &Plan, now: &[String], data: Option<&str>) -> Result<Vec<Loaded>, CliError> {
    if !now.is_empty() && now.len() != plan.models.len() {
        let names: Vec<&str> = plan.models.iter().map(|model| model.name.as_str()).collect();
        return Err(CliError::Usage(format!(
            "the run has {} models ({}); name each of them, in that order, or none",
            names.len(),
            names.join(", ")
        )));
    }
    let places = plan.models.iter().enumerate();
    places.map(|(place, model)| load(model, now.get(place), data)).collect()
}

fn load(model: &ModelPlan, now: Option<&String>, data: Option<&str>) -> Result<Loaded, CliError> {
    let request = now.unwrap_or(&model.request);
    // A weights file says neither its architecture nor its normalisation; the plan does.
    let weights = !models::says_itself(request);
    let normalisation = Normalisation {
        mean: weights.then(|| model.mean.to_vec()),
        std: weights.then(|| model.std.to_vec()),
    };
    let arch = weights.then_some(model.architecture.as_str());
    let mut described = models::resolve(request, arch, &normalisation)?;
    if let Described::Model(manifest) = &mut described {
        manifest.sha256.get_or_insert_with(|| model.weights_sha256.clone());
    }
    let loaded = models::load(request, described, data)?;
    let found = &loaded.describe;
    let input = found.input();
    let levels = |levels: Option<u32>| levels.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let weights = match found.described {
        Described::Model(_) => "weights",
        Described::Ensemble(_) => "checksum of vote and members",
    };
    for (what, expected, found) in [
        ("architecture", &model.architecture, found.architecture()),
        (weights, &model.weights_sha256, found.weights_sha256()),
        ("mean", &format!("{:?}", model.mean), format!("{:?}", input.mean)),
        ("std", &format!("{:?}", model.std), format!("{:?}", input.std)),
        ("input noise", &model.input_noise.to_string(), input.noise.to_string()),
        ("input levels", &levels(model.input_levels), levels(input.levels)),
    ] {
        if *expected != found {
            return Err(CliError::OtherModel {
                model: model.name.clone(),
                what,
                expected: expected.clone(),
                found,
            });
        }
    }
    Ok(loaded)
}
