//! `resilience bench`: how fast a model is on this machine, and how long suites would take.

use resilience::EngineError;
use resilience::batch::Batch;
use resilience::evaluate::{self, COMPARED, Choice, Forecast, Pace, Probe};
use resilience_core::dataset::{self, Places, Split};
use resilience_core::event::{Event, Observer, Unit};
use resilience_core::plan::ModelPlan;
use resilience_core::report::{self, Form, Rate, SuiteTime};
use resilience_core::suite;
use resilience_core::threat::Eps;
use resilience_core::view::{Precision, View};

use crate::args::Bench;
use crate::environment::Environment;
use crate::error::CliError;
use crate::models::{self, Loaded, Takes};
use crate::planning::{self, Ground};
use crate::results;
use crate::screen::Screen;

/// Chunks that are predicted to take longer for one pass forwards and back are left out, in seconds.
const PATIENCE: f64 = 2.0;

/// Passes that a noisy model's verdicts are the mean of, as `eval` has it unasked.
const PASSES: u32 = 10;

/// Measures and predicts as the arguments say.
pub fn run(
    arguments: &Bench,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let arch = arguments.arch.as_deref();
    let described = models::resolve(&arguments.model, arch, &arguments.normalisation)?;
    let eps = arguments.eps.unwrap_or_else(|| Eps::usual(arguments.norm));
    planning::threat(arguments.norm, eps)?;
    let mut loaded = models::load(&arguments.model, described, arguments.data.as_deref())?;
    let (batch, images) = images(arguments, &loaded, screen)?;
    let trials = View::ALL
        .into_iter()
        .map(|view| try_form(view, &mut loaded, &batch, environment, screen))
        .collect::<Result<Vec<_>, _>>()?;
    let found = found(&loaded, &batch, &trials)?;
    let classes = takes(&loaded)?.classes as u32;
    let ground = Ground { norm: arguments.norm, n: arguments.n, classes };
    let machine = environment.provenance(0, Vec::new()).machine;
    let bench = report::Bench {
        model: loaded.describe.name().to_owned(),
        architecture: loaded.describe.architecture(),
        cpu: machine.cpu,
        threads: machine.threads,
        images,
        forms: trials.into_iter().map(|trial| form(trial, found.choice)).collect(),
        n: arguments.n,
        norm: arguments.norm,
        eps: eps.to_string(),
        suites: predict(&results::model_plan(&loaded, &found, PASSES), eps, ground)?,
    };
    screen.print(&report::bench(&bench, Screen::width()));
    Ok(())
}

/// What is measured with, and what it is called.
fn images(
    arguments: &Bench,
    loaded: &Loaded,
    screen: &mut Screen,
) -> Result<(Batch, String), CliError> {
    let most = evaluate::most_at_once();
    let Some(data) = arguments.data.as_deref() else {
        let takes = takes(loaded)?;
        let batch = Batch::random(most, takes.input, takes.classes)?;
        return Ok((batch, "random images".to_owned()));
    };
    let source = dataset::find(Some(data), &Places::of_user(), screen)?;
    let images = source.load(Split::Test, Some(most as usize), screen)?;
    loaded.describe.check_fit(&images)?;
    Ok((Batch::leading(&images, most)?, format!("{} test images", images.name())))
}

/// The images and classes of a model.
fn takes(loaded: &Loaded) -> Result<&Takes, CliError> {
    let name = loaded.describe.name();
    loaded.describe.takes().ok_or_else(|| CliError::Usage(format!("'{name}' has no networks")))
}

/// What a form takes, by chunk.
struct Trial {
    view: View,
    paces: Vec<(u64, Pace)>,
    left_out: Option<String>,
}

/// Measures a form of the model in larger and larger chunks.
fn try_form(
    view: View,
    loaded: &mut Loaded,
    batch: &Batch,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<Trial, CliError> {
    let left_out = |why: &str| Trial { view, paces: Vec::new(), left_out: Some(why.to_owned()) };
    if view == View::Bf16 && !evaluate::multiplies_faster_in_bf16(environment)? {
        return Ok(left_out("left out, because this machine does not multiply faster in it"));
    }
    if !loaded.model.takes(view)? {
        return Ok(left_out("left out, because the model has no such form on this machine"));
    }
    let task = format!("{}: {}", loaded.model.name, view.name());
    let total = Some(evaluate::chunks().iter().sum());
    screen.event(Event::Started { task, total, unit: Unit::Images });
    let mut trial = Trial { view, paces: Vec::new(), left_out: None };
    for &chunk in evaluate::chunks() {
        if screen.cancelled() {
            return Err(EngineError::Cancelled.into());
        }
        if trial.paces.last().is_some_and(|(_, pace)| pace.both() * chunk as f64 > PATIENCE) {
            let why =
                format!("{chunk} at once and more left out: a pass would take over {PATIENCE} s");
            trial.left_out = Some(why);
            break;
        }
        let part = batch.first(chunk)?;
        trial
            .paces
            .push((chunk, evaluate::pace(environment, loaded.model.search(), &part, chunk)?));
        let done = trial.paces.iter().map(|(chunk, _)| chunk).sum();
        screen.event(Event::Advanced { done, detail: String::new() });
    }
    screen.event(Event::Finished);
    Ok(trial)
}

/// What a probe finds, of what was measured: by the same rule.
fn found(loaded: &Loaded, batch: &Batch, trials: &[Trial]) -> Result<Probe, CliError> {
    let mut known = |view: View, chunk: u64| {
        let trial = trials.iter().find(|trial| trial.view == view);
        let paces = trial.into_iter().flat_map(|trial| &trial.paces);
        Ok(paces.into_iter().find(|(of, _)| *of == chunk).map(|&(_, pace)| pace))
    };
    let reference = known(View::Reference, COMPARED)?;
    let choice = match evaluate::choose(Precision::Auto.views(), &mut known)? {
        Some(choice) => Some(choice),
        None => evaluate::choose(&[View::Reference], &mut known)?,
    };
    let none =
        || EngineError::NoForm { model: loaded.model.name.clone(), form: View::Reference.name() };
    let (choice, reference) = choice.zip(reference).ok_or_else(none)?;
    let noisy = evaluate::is_noisy(&loaded.model, &batch.first(COMPARED)?)?;
    Ok(Probe { noisy, choice, reference })
}

fn form(trial: Trial, choice: Choice) -> Form {
    let rate = |(chunk, pace): (u64, Pace)| Rate {
        chunk,
        forwards: 1.0 / pace.forward,
        both: 1.0 / pace.both(),
        chosen: (trial.view, chunk) == (choice.view, choice.chunk),
    };
    Form {
        view: trial.view,
        rates: trial.paces.into_iter().map(rate).collect(),
        left_out: trial.left_out,
    }
}

/// What `eval` would predict of each suite that comes with the program.
fn predict(model: &ModelPlan, eps: Eps, ground: Ground) -> Result<Vec<SuiteTime>, CliError> {
    let mut times = Vec::new();
    for name in suite::names() {
        let suite = suite::find(name)?;
        let seconds =
            planning::suite_stages(&suite, &[eps], (false, true), ground).and_then(|staged| {
                let stages = staged.stages;
                let images = 0..ground.n;
                let models = [(model, ground.classes)];
                Ok(Forecast::new(&stages, &models, images, evaluate::BLOCK)?.seconds())
            });
        times.push(SuiteTime {
            name: name.to_owned(),
            attacks: suite.attacks.into_iter().map(|attack| attack.id).collect(),
            at_most: seconds.map_err(|error| error.to_string()),
        });
    }
    Ok(times)
}
