//! Carrying out a plan, and what is written of it.

use std::path::Path;

use resilience::batch::Batch;
use resilience::evaluate::{self, COMPARED, Probe};
use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::plan::{Keep, ModelPlan, Plan, Shard};
use resilience_core::report::{self, Run};
use resilience_core::store::{self, RunStore};
use resilience_core::view::{Precision, View};

use crate::environment::Environment;
use crate::error::CliError;
use crate::models::Loaded;
use crate::screen::Screen;

/// Name of the file for machines in a run's folder.
pub const SUMMARY: &str = "summary.json";
const PAGE: &str = "report.html";

/// What a plan says of the models: who they are, whether they are noisy, and how long they take.
/// From here on attacks look at the form of each model that was fastest. Shards have to compute alike
/// wherever they run: they take the first form that there is, a fixed number of images at once.
pub fn probe(
    loaded: &mut [Loaded],
    images: &Images,
    (passes, precision, shard): (u32, Precision, Shard),
    environment: &Environment,
) -> Result<Vec<ModelPlan>, CliError> {
    let mut plans = Vec::new();
    let batch = Batch::leading(images, evaluate::most_at_once())?;
    for model in loaded {
        model.describe.check_fit(images)?;
        let views = match shard {
            Shard::WHOLE => precision.views().to_vec(),
            _ => vec![first_form(model, precision)?],
        };
        let mut found = evaluate::probe(environment, &mut model.model, &batch, &views)?;
        if shard != Shard::WHOLE {
            found.choice.chunk = COMPARED;
        }
        plans.push(model_plan(model, &found, passes));
    }
    Ok(plans)
}

/// The first form that a model has here.
fn first_form(loaded: &mut Loaded, precision: Precision) -> Result<View, CliError> {
    for &view in precision.views() {
        if loaded.model.takes(view)? {
            return Ok(view);
        }
    }
    Ok(View::Reference)
}

/// What a plan says of one model; `passes` are those that a noisy one's verdicts are the mean of.
pub fn model_plan(loaded: &Loaded, found: &Probe, passes: u32) -> ModelPlan {
    let input = loaded.describe.input();
    ModelPlan {
        name: loaded.describe.name().to_owned(),
        request: loaded.request.clone(),
        architecture: loaded.describe.architecture(),
        weights_sha256: loaded.describe.weights_sha256(),
        mean: input.mean,
        std: input.std,
        input_noise: input.noise,
        input_levels: input.levels,
        passes: if found.noisy { passes } else { 1 },
        view: found.choice.view,
        chunk: found.choice.chunk,
        forward_seconds: found.choice.pace.forward,
        backward_seconds: found.choice.pace.backward,
        reference_forward_seconds: found.reference.forward,
        reference_backward_seconds: found.reference.backward,
    }
}

/// Lets attacks look at the form of each model that the plan names.
pub fn look(loaded: &mut [Loaded], plan: &Plan) -> Result<(), CliError> {
    for (loaded, plan) in loaded.iter_mut().zip(&plan.models) {
        loaded.model.look_at(plan.view)?;
    }
    Ok(())
}

/// Says what is to come: the part that is done, and how much room the kept images may need.
pub fn announce(plan: &Plan, images: &Images, screen: &Screen) {
    if plan.shard != Shard::WHOLE {
        let range = plan.shard.images(plan.dataset.n, plan.block);
        screen.note(&format!(
            "shard {}: images {} to {} of {}",
            plan.shard,
            range.start,
            range.end.saturating_sub(1),
            plan.dataset.n
        ));
    }
    for model in plan.models.iter().filter(|model| model.passes > 1) {
        screen.note(&format!(
            "{} answers differently each time: every figure is the mean of {} passes; the suite \
             autoattack-rand takes means of gradients too",
            model.name, model.passes
        ));
    }
    if plan.keep == Keep::Broken && !plan.stages.is_empty() {
        let n = plan.shard.images(plan.dataset.n, plan.block).count() as u64;
        let bytes = store::example_bytes(images.shape(), n * plan.models.len() as u64);
        screen.note(&format!(
            "adversarial images are kept: at most {:.0} MB a radius (--keep none leaves them out)",
            bytes as f64 / 1e6
        ));
    }
}

/// Says of which models attacks see another function's gradient.
fn say_stand_ins(plan: &Plan, loaded: &[Loaded], screen: &Screen) {
    let votes = loaded.iter().filter_map(|loaded| Some((loaded, loaded.describe.vote()?)));
    for (loaded, vote) in votes.filter(|(_, vote)| !vote.is_differentiable()) {
        if !plan.stages.is_empty() {
            screen.note(&format!(
                "{}: a {} vote has no gradient; attacks that follow one see that of {}, and the vote \
                 decides",
                loaded.describe.name(),
                vote.name(),
                vote.gradients_of().about()
            ));
        }
    }
}

/// Says what attacks look at, and how long they are going to take.
fn foretell(
    plan: &Plan,
    images: &Images,
    store: &RunStore,
    screen: &Screen,
) -> Result<(), CliError> {
    if plan.stages.is_empty() {
        return Ok(());
    }
    for model in &plan.models {
        screen.note(&format!(
            "{}: attacks look at its {} form ({}), {} images at once: {} images/s forwards and back",
            model.name,
            model.view.name(),
            model.view.about(),
            model.chunk,
            report::rate(1.0 / (model.forward_seconds + model.backward_seconds))
        ));
    }
    let classes = vec![images.classes().len() as u32; plan.models.len()];
    let seconds = evaluate::forecast(plan, &classes, store)?.seconds();
    let of_what = if store.models()?.is_empty() { "" } else { " for what is left" };
    screen.note(&format!(
        "predicted{of_what}: at most {}, if every image survived every attack; each that falls \
         shortens it",
        report::foreseen(seconds)
    ));
    Ok(())
}

/// Carries out what the plan says and the store does not hold yet.
pub fn evaluate(
    plan: &Plan,
    loaded: &[Loaded],
    images: &Images,
    store: &mut RunStore,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let records: Vec<_> = loaded
        .iter()
        .zip(&plan.models)
        .map(|(model, plan)| model.describe.on(images, plan.passes))
        .collect();
    let models: Vec<_> = loaded.iter().map(|loaded| &loaded.model).zip(&records).collect();
    say_stand_ins(plan, loaded, screen);
    foretell(plan, images, store, screen)?;
    let mut context = Context { observer: screen, clock: environment };
    Ok(evaluate::run(&mut context, plan, &models, images, store)?)
}

/// Whether there is anything to audit: attacks on all of the images. Of a shard the figures are not those
/// of the run.
pub fn to_audit(plan: &Plan) -> bool {
    plan.shard == Shard::WHOLE && !plan.stages.is_empty()
}

/// Looks for reasons not to trust the figures of a finished run, and records what was found.
pub fn audit(
    loaded: &[Loaded],
    images: &Images,
    store: &mut RunStore,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let models: Vec<_> = loaded.iter().map(|loaded| &loaded.model).collect();
    let mut context = Context { observer: screen, clock: environment };
    let records = resilience::audit::audit(&mut context, store, &models, images)?;
    for ((id, _), record) in store.models()?.into_iter().zip(&records) {
        store.add_audit(id, record)?;
    }
    Ok(())
}

/// Removes what an earlier run in the folder was summed up in: it would stand beside outcomes that
/// it does not belong to.
pub fn remove_old(dir: &Path) -> Result<(), CliError> {
    for path in [dir.join(SUMMARY), dir.join(PAGE)] {
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(CliError::Io { doing: "remove", path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes summary.json and report.html of a run, and prints its table.
pub fn write(dir: &Path, store: &RunStore, screen: &Screen) -> Result<(), CliError> {
    let run = Run::from_store(store)?;
    let (json, page) = (dir.join(SUMMARY), dir.join(PAGE));
    run.summary.write(&json)?;
    let runs = [run];
    report::write_html(&runs, &page)?;
    screen.print(&report::terminal(&runs, Screen::width())?);
    screen.print(&format!("summary: {}\nreport:  {}", json.display(), page.display()));
    Ok(())
}
