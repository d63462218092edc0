//! `resilience reproduce`: the paper's experiment, end to end.

use std::path::Path;

use resilience::train::Plan;
use resilience_core::dataset::{self, DatasetError, Images, Places, Source, Split};
use resilience_core::download::DownloadError;
use resilience_core::method::Method;
use resilience_core::plan::{Keep, Kind, Plan as Evaluation, Shard, Stage};
use resilience_core::record::{LabelSource, Scope};
use resilience_core::store::{RunStore, StoreError};
use resilience_core::suite;
use resilience_core::threat::{Eps, Norm, Threat};
use resilience_core::view::Precision;

use super::train::{self as training, Job};
use crate::args::{Normalisation, Options, Reproduce};
use crate::environment::Environment;
use crate::error::CliError;
use crate::models::{self, Loaded};
use crate::planning::{self, Ground};
use crate::results;
use crate::screen::Screen;

/// The method that is the paper's training.
const METHOD: &str = "resilience-cnn-paper";

/// Images of the accuracy-against-eps curve: the first of the split.
const CURVE_IMAGES: usize = 1000;

/// Passes that a noisy baseline's verdicts are the mean of.
const PASSES: u32 = 10;

/// Runs the experiment: data, baselines, training, attacks, table, report. All that can be wrong
/// with the input is found before the training.
pub fn run(
    arguments: &Reproduce,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let mut notices = Vec::new();
    refuse_foreign_run(&arguments.out)?;
    let source = find_data(arguments, screen, &mut notices)?;
    source.check_both_splits()?;
    let n = arguments.n.map(|n| n as usize);
    if let Some(n) = n {
        notices.push(format!(
            "A quick look: trained and evaluated on the first {n} images of each split only."
        ));
    }
    let test = source.load(Split::Test, n, screen)?;
    let mut baselines = find_baselines(arguments, &source, &test, &mut notices)?;
    let train = source.load(Split::Train, n, screen)?;
    for notice in train.notices().iter().chain(test.notices()) {
        if !notices.contains(notice) {
            notices.push(notice.clone());
        }
    }
    for notice in &notices {
        screen.notice(notice);
    }
    results::remove_old(&arguments.out)?;
    let job = |name: &str, recipe: &str, file: &str| -> Result<Job, CliError> {
        Ok(Job {
            name: name.to_owned(),
            plan: plan(arguments, recipe, &arguments.out.join(file))?,
            images: &train,
            out: arguments.out.join(file),
        })
    };
    let ours = job("ResilienceCNN", "fgsm-joint", "resilience_model.pth")?;
    let mut loaded = vec![training::train(ours, environment, screen)?];
    if baselines.is_empty() {
        let control = job("ResilienceCNN, standard training", "standard", "control_model.pth")?;
        loaded.push(training::train(control, environment, screen)?);
    }
    drop(train);
    loaded.append(&mut baselines);
    evaluate(arguments, &test, &mut loaded, notices, environment, screen)
}

fn evaluate(
    arguments: &Reproduce,
    images: &Images,
    loaded: &mut [Loaded],
    notices: Vec<String>,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let stages = stages(images.len() as u64, arguments.robust_n)?;
    let plan = Evaluation {
        kind: Kind::Reproduce,
        seed: arguments.seed,
        dataset: images.record(),
        models: results::probe(
            loaded,
            images,
            (PASSES, Precision::Auto, Shard::WHOLE),
            environment,
        )?,
        headline: stages.iter().find(|stage| stage.suite.is_some()).map(|s| s.threat.clone()),
        stages,
        keep: Keep::Broken,
        block: resilience::evaluate::BLOCK,
        chunk: resilience::evaluate::CHUNK,
        threads: resilience::threads(),
        shard: Shard::WHOLE,
    };
    let (plan, mut store) = if let Some(found) = interrupted(arguments, &plan)? {
        found
    } else {
        let provenance = environment.provenance(arguments.seed, notices);
        let store = RunStore::replace(&arguments.out, &provenance, &plan)?;
        (plan, store)
    };
    results::look(loaded, &plan)?;
    results::evaluate(&plan, loaded, images, &mut store, environment, screen)?;
    results::audit(loaded, images, &mut store, environment, screen)?;
    results::write(&arguments.out, &store, screen)
}

/// The run that was interrupted, where --resume is given and it follows the same plan; what was
/// measured at its start stays.
fn interrupted(
    arguments: &Reproduce,
    plan: &Evaluation,
) -> Result<Option<(Evaluation, RunStore)>, CliError> {
    if !arguments.resume {
        return Ok(None);
    }
    let store = match RunStore::open(&arguments.out) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        store => store?,
    };
    let old = store.plan().clone();
    let then = resilience::evaluate::completed(&old)?;
    let now = plan.clone().measured_as(&then);
    Ok((!store.finished()? && now == then).then_some((old, store)))
}

/// The paper's training, with this recipe.
fn plan(arguments: &Reproduce, recipe: &str, weights: &Path) -> Result<Plan, CliError> {
    let options = Options { epochs: Some(arguments.epochs), ..Options::default() };
    let method = Method { recipe: recipe.to_owned(), ..options.method(METHOD)? };
    let plan = Plan::new(method, arguments.seed, Vec::new())?;
    Ok(plan.with_checkpoint(weights.with_extension("checkpoint"), arguments.resume))
}

/// What FGSM claims: at the paper's eps in both conventions on all images, and over eps on the
/// first ones. Then what is left: the suite `quick` at the usual radius and at the paper's.
fn stages(n: u64, robust_n: u64) -> Result<Vec<Stage>, CliError> {
    let ground = |n| Ground { norm: Norm::Linf, n, classes: 10 };
    let mut stages = Vec::new();
    for labels in [LabelSource::True, LabelSource::Predicted] {
        let how = (labels, Scope::All);
        stages.push(planning::stage("fgsm", &[], threat("0.1")?, how, ground(n))?);
    }
    for eps in ["1/255", "2/255", "4/255", "8/255", "16/255", "0.1", "0.15", "0.2"] {
        let how = (LabelSource::True, Scope::All);
        let first = ground(n.min(CURVE_IMAGES as u64));
        let stage = planning::stage("fgsm", &[], threat(eps)?, how, first)?;
        stages.push(Stage { curve: true, ..stage });
    }
    let quick = suite::find("quick")?;
    let eps = [threat("8/255")?.eps(), threat("0.1")?.eps()];
    let ground = ground(n.min(robust_n));
    stages.extend(planning::suite_stages(&quick, &eps, (false, true), ground)?.stages);
    Ok(stages)
}

fn threat(eps: &str) -> Result<Threat, CliError> {
    let usage = |error: resilience_core::threat::ThreatError| CliError::Usage(error.to_string());
    planning::threat(Norm::Linf, eps.parse::<Eps>().map_err(usage)?)
}

/// The data that was asked for; shapes10 where nothing was and CIFAR-10 is nowhere to be had.
fn find_data(
    arguments: &Reproduce,
    screen: &mut Screen,
    notices: &mut Vec<String>,
) -> Result<Source, CliError> {
    let places = Places::of_user();
    let request = arguments.data.data.as_deref();
    match dataset::find(request, &places, screen) {
        Err(
            error @ (DatasetError::Unreachable { .. }
            | DatasetError::NoCache { .. }
            | DatasetError::Download(
                DownloadError::Interrupted { .. } | DownloadError::Write { .. },
            )),
        ) if request.is_none() => {
            notices.push(format!(
                "This run used shapes10, not CIFAR-10: images that the program draws itself. \
                 CIFAR-10 was neither found nor could it be downloaded ({error}). No figure here \
                 says anything about CIFAR-10. To run the experiment proper, put CIFAR-10 somewhere and \
                 name its folder with --data or RESILIENCE_DATA."
            ));
            Ok(dataset::find(Some("shapes10"), &places, screen)?)
        }
        other => Ok(other?),
    }
}

/// The baselines that were named, or those of the paper's kind whose weights are at hand.
fn find_baselines(
    arguments: &Reproduce,
    source: &Source,
    images: &Images,
    notices: &mut Vec<String>,
) -> Result<Vec<Loaded>, CliError> {
    let data = arguments.data.data.as_deref();
    let resolve =
        |model: &str| models::resolve(model, None, &Normalisation { mean: None, std: None });
    let mut found = Vec::new();
    for name in &arguments.baseline {
        let described = resolve(name)?;
        models::check_all_fit(&described, images, data)?;
        found.push(models::load(name, described, data)?);
    }
    for name in models::BASELINES.into_iter().filter(|_| arguments.baseline.is_empty()) {
        let described = resolve(name)?;
        let fits = models::check_all_fit(&described, images, data).is_ok();
        if fits && models::locate_all(name, &described, data).is_ok() {
            found.push(models::load(name, described, data)?);
        }
    }
    if found.is_empty() {
        let of = source.title();
        let known = match images.name() {
            "cifar10" => format!("; `resilience pull {}` fetches two", models::BASELINES.join(" ")),
            _ => String::new(),
        };
        notices.push(format!(
            "No pretrained baseline for {of} was at hand, so a control is trained instead: the \
             same network, data and epochs without attacked images. To compare with a pretrained \
             model, name its manifest with --baseline{known}."
        ));
    }
    Ok(found)
}

/// An earlier reproduction in the folder is replaced; any other run is left alone.
fn refuse_foreign_run(out: &Path) -> Result<(), CliError> {
    match RunStore::open(out) {
        Ok(store) if store.plan().kind == Kind::Reproduce => Ok(()),
        Ok(store) => Err(CliError::Usage(format!(
            "{} holds a run that is no reproduction; choose another folder with --out",
            store.path().display()
        ))),
        Err(StoreError::Missing { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
