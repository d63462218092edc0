//! `resilience eval`: attacks models and measures what is left.

use resilience::evaluate::Setup;
use resilience::{attack, zoo};
use resilience_core::dataset::{self, Places, Split};
use resilience_core::store::RunStore;
use resilience_core::threat::Threat;
use serde_json::json;

use crate::args::Eval;
use crate::environment::Environment;
use crate::error::CliError;
use crate::screen::Screen;
use crate::{models, results};

/// Evaluates as the arguments say: everything is resolved before anything is loaded.
pub fn run(
    arguments: &Eval,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let manifests = arguments
        .models
        .iter()
        .map(|model| models::resolve(model, arguments.arch.as_deref(), &arguments.normalisation))
        .collect::<Result<Vec<_>, _>>()?;
    let setups = setups(arguments)?;
    let data = arguments.data.data.as_deref();
    for manifest in &manifests {
        zoo::find(&manifest.architecture)?;
        models::locate(manifest, data)?;
    }
    let source = dataset::find(data, &Places::of_user(), screen)?;
    let images = source.load(Split::Test, arguments.n.map(|n| n as usize), screen)?;
    let loaded = manifests
        .into_iter()
        .map(|manifest| models::load(manifest, data))
        .collect::<Result<Vec<_>, _>>()?;
    let plan = json!({
        "kind": "eval",
        "models": loaded.iter().map(|model| &model.describe.manifest.name).collect::<Vec<_>>(),
        "dataset": images.record(),
        "attack": arguments.attack,
        "norm": arguments.norm,
        "eps": arguments.eps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "labels": arguments.labels.sources(),
        "chunk": resilience::evaluate::CHUNK,
    });
    let provenance = environment.provenance(arguments.seed, images.notices().to_vec());
    let mut store = if arguments.overwrite {
        RunStore::replace(&arguments.out, &provenance, &plan)?
    } else {
        RunStore::create(&arguments.out, &provenance, &plan)?
    };
    results::remove_old(&arguments.out)?;
    for model in &loaded {
        results::evaluate(model, &images, images.len(), &setups, &mut store, environment, screen)?;
    }
    results::write(&arguments.out, &mut store, screen)?;
    Ok(())
}

/// The attacks that are meant. Several radii make a curve, and the last one is the result as well.
fn setups(arguments: &Eval) -> Result<Vec<Setup>, CliError> {
    if arguments.attack == "none" {
        return Ok(Vec::new());
    }
    let attack = attack::find(&arguments.attack)?;
    let mut setups = Vec::new();
    for &labels in arguments.labels.sources() {
        for &eps in &arguments.eps {
            let threat = Threat::new(arguments.norm, eps)
                .map_err(|error| CliError::Usage(error.to_string()))?;
            // Whether the attack knows the norm is checked before anything is loaded.
            attack.plan(threat)?;
            if arguments.eps.len() > 1 {
                setups.push(Setup { attack, threat, labels, curve: true });
            }
        }
        if let Some(&eps) = arguments.eps.last() {
            let threat = Threat::new(arguments.norm, eps)
                .map_err(|error| CliError::Usage(error.to_string()))?;
            setups.push(Setup { attack, threat, labels, curve: false });
        }
    }
    Ok(setups)
}
