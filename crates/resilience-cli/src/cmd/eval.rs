//! `resilience eval`: attacks models and measures what is left.

use std::path::Path;

use resilience_core::dataset::{self, Images, Places, Split};
use resilience_core::manifest::Described;
use resilience_core::plan::{Kind, Plan, Shard, Stage, ThreatPlan};
use resilience_core::record::Scope;
use resilience_core::store::RunStore;
use resilience_core::suite;
use resilience_core::threat::Eps;

use crate::args::{Eval, PrecisionArg};
use crate::environment::Environment;
use crate::error::CliError;
use crate::planning::{self, Ground};
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
    let described = arguments
        .models
        .iter()
        .map(|model| models::resolve(model, arguments.arch.as_deref(), &arguments.normalisation))
        .collect::<Result<Vec<_>, _>>()?;
    let classes = classes(&described)?;
    let eps = radii(arguments);
    // With one image, only to find what is wrong before the data are read.
    stages(arguments, &eps, Ground { norm: arguments.norm, n: 1, classes })?;
    let data = arguments.data.data.as_deref();
    for described in &described {
        models::locate_all(described, data)?;
    }
    let source = dataset::find(data, &Places::of_user(), screen)?;
    let images = source.load(Split::Test, arguments.n.map(|n| n as usize), screen)?;
    let mut loaded = described
        .into_iter()
        .zip(&arguments.models)
        .map(|(described, request)| models::load(request, described, data))
        .collect::<Result<Vec<_>, _>>()?;
    let ground = Ground { norm: arguments.norm, n: images.len() as u64, classes };
    let stages = stages(arguments, &eps, ground)?;
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    check_shard(shard, &images, arguments.block)?;
    let how = (arguments.passes, arguments.precision.into(), shard);
    let plan = Plan {
        kind: Kind::Eval,
        seed: arguments.seed,
        dataset: images.record(),
        models: results::probe(&mut loaded, &images, how, environment)?,
        headline: headline(&stages, &eps, arguments),
        stages,
        keep: arguments.keep.into(),
        block: arguments.block,
        chunk: resilience::evaluate::CHUNK,
        threads: resilience::threads(),
        shard,
    };
    results::announce(&plan, &images, screen);
    let provenance = environment.provenance(arguments.seed, images.notices().to_vec());
    let mut store = if arguments.overwrite {
        RunStore::replace(out, &provenance, &plan)?
    } else {
        RunStore::create(out, &provenance, &plan)?
    };
    results::remove_old(out)?;
    results::evaluate(&plan, &loaded, &images, &mut store, environment, screen)?;
    if results::to_audit(&plan) && !arguments.no_audit {
        results::audit(&loaded, &images, &mut store, environment, screen)?;
    }
    results::write(out, &store, screen)
}

/// The fewest classes of any model.
fn classes(described: &[Described]) -> Result<u32, CliError> {
    let mut fewest = u32::MAX;
    for described in described {
        fewest = fewest.min(models::architecture(described)?.classes as u32);
    }
    Ok(fewest)
}

fn radii(arguments: &Eval) -> Vec<Eps> {
    if arguments.eps.is_empty() {
        return vec![Eps::usual(arguments.norm)];
    }
    arguments.eps.clone()
}

fn stages(arguments: &Eval, eps: &[Eps], ground: Ground) -> Result<Vec<Stage>, CliError> {
    let Some(attack) = &arguments.attack else {
        let suite = suite::find(arguments.suite.as_deref().unwrap_or(DEFAULT_SUITE))?;
        let finish = arguments.precision != PrecisionArg::Exact;
        return planning::suite_stages(&suite, eps, (arguments.individual, finish), ground);
    };
    if attack == "none" {
        return Ok(Vec::new());
    }
    let mut sorted = eps.to_vec();
    sorted.sort_by(|a, b| a.value().total_cmp(&b.value()));
    let mut stages = Vec::new();
    for eps in sorted {
        let threat = planning::threat(ground.norm, eps)?;
        for &labels in arguments.labels.sources() {
            let how = (labels, Scope::All);
            stages.push(planning::stage(attack, &arguments.set, threat, how, ground)?);
        }
    }
    Ok(stages)
}

/// The last radius given; where the suite has its own, that of its last attack.
fn headline(stages: &[Stage], eps: &[Eps], arguments: &Eval) -> Option<ThreatPlan> {
    let last = stages.last()?;
    let asked = eps.last().map(|eps| ThreatPlan { norm: arguments.norm, eps: eps.to_string() });
    asked
        .filter(|asked| stages.iter().any(|stage| stage.threat == *asked))
        .or_else(|| Some(last.threat.clone()))
}

fn check_shard(shard: Shard, images: &Images, block: u64) -> Result<(), CliError> {
    let blocks = (images.len() as u64).div_ceil(block);
    if shard.of <= blocks {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "--shard {shard}: {} images are {blocks} blocks of {block}, which cannot be shared among {}; \
         give a smaller --block to every shard",
        images.len(),
        shard.of
    )))
}
