//! `resilience eval`: attacks models and measures what is left.

use std::path::Path;

use resilience_core::cluster;
use resilience_core::dataset::{self, Images, Places, Split};
use resilience_core::manifest::Described;
use resilience_core::plan::{Kind, Plan, Shard, Stage, ThreatPlan};
use resilience_core::record::Scope;
use resilience_core::store::RunStore;
use resilience_core::suite;
use resilience_core::threat::Eps;

use super::requeued;
use crate::args::{Eval, PrecisionArg, ShardArg};
use crate::environment::Environment;
use crate::error::CliError;
use crate::lock;
use crate::models::Loaded;
use crate::planning::{self, Ground, Staged};
use crate::screen::Screen;
use crate::{models, results};

/// The suite that is run where nothing is asked for.
const DEFAULT_SUITE: &str = "quick";

/// Evaluates as the arguments say: everything is resolved before anything is loaded.
pub fn run(
    arguments: &Eval,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    match (&arguments.resume, &arguments.out) {
        (Some(dir), _) => super::resume::run(dir, arguments, environment, screen),
        (None, Some(out)) => begin(out, arguments, environment, screen),
        (None, None) => Err(CliError::Usage("--out or --resume must be given".to_owned())),
    }
}

fn begin(
    out: &Path,
    arguments: &Eval,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let (shard, again) = shard(arguments)?;
    let Prepared { mut loaded, images, stages, headline } = prepare(arguments, screen)?;
    check_shards(shard.of, images.len() as u64, arguments.block)?;
    let how = (arguments.passes, arguments.precision.into(), shard);
    let plan = Plan {
        kind: Kind::Eval,
        seed: arguments.seed,
        dataset: images.record(),
        models: results::probe(&mut loaded, &images, how, environment)?,
        headline,
        stages,
        keep: arguments.keep.into(),
        block: arguments.block,
        chunk: resilience::evaluate::CHUNK,
        threads: resilience::threads(),
        shard,
    };
    results::announce(&plan, &images, screen);
    let mut notices = images.notices().to_vec();
    for notice in loaded.iter().flat_map(|loaded| loaded.describe.notices()) {
        screen.notice(&notice);
        notices.push(notice);
    }
    let provenance = environment.provenance(arguments.seed, notices);
    // A scheduler may take a node for dead on which the task is still at work.
    let _alone = matches!(again, Again::GoesOn).then(|| lock::claim(out)).transpose()?;
    let begun = match again {
        Again::GoesOn => requeued::begun(out, &plan)?,
        Again::Refused => None,
    };
    let (plan, mut store) = match begun {
        Some(store) if store.finished()? => {
            let dir = out.display();
            screen.note(&format!("{dir} is finished; only its report is written anew"));
            return results::write(out, &store, screen);
        }
        Some(store) => {
            screen.note(&format!("{} was begun before and goes on", out.display()));
            (store.plan().clone(), store)
        }
        None if arguments.overwrite => {
            let store = RunStore::replace(out, &provenance, &plan)?;
            (plan, store)
        }
        None => {
            let store = RunStore::create(out, &provenance, &plan)?;
            (plan, store)
        }
    };
    results::look(&mut loaded, &plan)?;
    results::remove_old(out)?;
    results::evaluate(&plan, &loaded, &images, &mut store, environment, screen)?;
    if results::to_audit(&plan) && !arguments.no_audit {
        results::audit(&loaded, &images, &mut store, environment, screen)?;
    }
    results::write(out, &store, screen)
}

/// What becomes of a run that is in the folder already.
#[derive(Clone, Copy)]
enum Again {
    /// It is the one that was asked for, and goes on: a scheduler starts a task again with the same line.
    GoesOn,
    /// It is somebody's, and stays, unless it is to be replaced.
    Refused,
}

/// The part that is meant.
fn shard(arguments: &Eval) -> Result<(Shard, Again), CliError> {
    match arguments.shard {
        None => Ok((Shard::WHOLE, Again::Refused)),
        Some(ShardArg::Given(shard)) => Ok((shard, Again::Refused)),
        Some(ShardArg::Auto { .. }) if arguments.overwrite => Err(CliError::Usage(
            "--overwrite: with --shard auto a task that is started again goes on, and would lose what \
             it has; leave out the one or name the shard"
                .to_owned(),
        )),
        Some(ShardArg::Auto { of }) => {
            Ok((cluster::shard(of, &Environment::variable)?, Again::GoesOn))
        }
    }
}

/// Everything that an evaluation needs, found, loaded and checked.
pub struct Prepared {
    loaded: Vec<Loaded>,
    /// The images.
    pub images: Images,
    stages: Vec<Stage>,
    headline: Option<ThreatPlan>,
}

/// Looks for everything, what is wrong with arguments first.
pub fn prepare(arguments: &Eval, screen: &mut Screen) -> Result<Prepared, CliError> {
    let described = arguments
        .models
        .iter()
        .map(|model| models::resolve(model, arguments.arch.as_deref(), &arguments.normalisation))
        .collect::<Result<Vec<_>, _>>()?;
    let data = arguments.data.data.as_deref();
    let classes = classes(&described, data)?;
    let eps = radii(arguments);
    // With one image, only to find what is wrong before the data are read.
    stages(arguments, &eps, Ground { norm: arguments.norm, n: 1, classes })?;
    for (request, described) in arguments.models.iter().zip(&described) {
        models::locate_all(request, described, data)?;
    }
    let source = dataset::find(data, &Places::of_user(), screen)?;
    let images = source.load(Split::Test, arguments.n.map(|n| n as usize), screen)?;
    for described in &described {
        models::check_all_fit(described, &images, data)?;
    }
    let loaded = described
        .into_iter()
        .zip(&arguments.models)
        .map(|(described, request)| models::load(request, described, data))
        .collect::<Result<Vec<_>, _>>()?;
    let ground = Ground { norm: arguments.norm, n: images.len() as u64, classes };
    let Staged { stages, left_out } = stages(arguments, &eps, ground)?;
    if !left_out.is_empty() {
        let (names, norm) = (left_out.join(", "), arguments.norm);
        screen.note(&format!("left out, because they do not know {norm}: {names}"));
    }
    let headline = headline(&stages, &eps, arguments);
    Ok(Prepared { loaded, images, stages, headline })
}

/// What can be said of the attacks where neither models nor images are at hand.
pub fn check_attacks(arguments: &Eval) -> Result<(), CliError> {
    // As many classes as any model may have.
    let ground = Ground { norm: arguments.norm, n: 1, classes: u32::MAX };
    stages(arguments, &radii(arguments), ground).map(drop)
}

/// The fewest classes of any model.
fn classes(described: &[Described], data: Option<&str>) -> Result<u32, CliError> {
    let mut fewest = u32::MAX;
    for described in described {
        fewest = fewest.min(models::classes(described, data)?);
    }
    Ok(fewest)
}

fn radii(arguments: &Eval) -> Vec<Eps> {
    if arguments.eps.is_empty() {
        return vec![Eps::usual(arguments.norm)];
    }
    arguments.eps.clone()
}

fn stages(arguments: &Eval, eps: &[Eps], ground: Ground) -> Result<Staged, CliError> {
    if !arguments.transfer {
        return direct(arguments, eps, ground);
    }
    let models = arguments.models.len() as u64;
    if models < 2 {
        return Err(CliError::Usage(
            "--transfer: examples of each model are shown to the others; name two models or more"
                .to_owned(),
        ));
    }
    let Staged { stages, left_out } = direct(arguments, eps, ground)?;
    let stages = stages.iter().map(|stage| planning::elsewhere(stage, models));
    let stages = stages.collect::<Result<Vec<_>, _>>()?;
    Ok(Staged { stages: stages.concat(), left_out })
}

/// The attacks on each model itself.
fn direct(arguments: &Eval, eps: &[Eps], ground: Ground) -> Result<Staged, CliError> {
    let Some(attack) = &arguments.attack else {
        let suite = suite::find(arguments.suite.as_deref().unwrap_or(DEFAULT_SUITE))?;
        // Which images came closest, only a model that is attacked itself says.
        let finish = arguments.precision != PrecisionArg::Exact && !arguments.transfer;
        return planning::suite_stages(&suite, eps, (arguments.individual, finish), ground);
    };
    let left_out = Vec::new();
    if attack == "none" {
        return Ok(Staged { stages: Vec::new(), left_out });
    }
    if arguments.nearest && eps.len() > 1 {
        return Err(CliError::Usage(
            "--nearest gives accuracy at every eps at once; name one --eps, that of the headline"
                .to_owned(),
        ));
    }
    let mut sorted = eps.to_vec();
    sorted.sort_by(|a, b| a.value().total_cmp(&b.value()));
    let mut stages = Vec::new();
    for eps in sorted {
        let threat = planning::threat(ground.norm, eps)?;
        for &labels in arguments.labels.sources() {
            let how = (labels, Scope::All);
            let stage = planning::stage(attack, &arguments.set, threat, how, ground)?;
            stages.push(if arguments.nearest { planning::nearest(stage)? } else { stage });
        }
    }
    Ok(Staged { stages, left_out })
}

/// The last radius given; where the suite has its own, that of its last attack.
fn headline(stages: &[Stage], eps: &[Eps], arguments: &Eval) -> Option<ThreatPlan> {
    let last = stages.last()?;
    let asked = eps.last().map(|eps| ThreatPlan { norm: arguments.norm, eps: eps.to_string() });
    asked
        .filter(|asked| stages.iter().any(|stage| stage.threat == *asked))
        .or_else(|| Some(last.threat.clone()))
}

/// Whether `n` images have a block for each of `of` shards.
pub fn check_shards(of: u64, n: u64, block: u64) -> Result<(), CliError> {
    let blocks = n.div_ceil(block);
    if of <= blocks {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "{n} images are {blocks} blocks of {block}, which cannot be shared among {of} shards; give a \
         smaller --block to every shard"
    )))
}
