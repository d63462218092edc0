//! The state of a training run after an epoch, in one safetensors file: weights, optimiser, average and
//! best weights, history, and what run it belongs to.

use std::path::Path;

use resilience_core::dataset::Images;
use resilience_core::format::array::{Array, ArrayData, StateDict};
use resilience_core::format::{safetensors, weights};
use resilience_core::record::EpochRecord;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::best::Best;
use super::{Average, Plan, State};
use crate::error::EngineError;
use crate::model::Native;
use crate::optim;
use crate::zoo::to_array;

/// Version of the header that this program writes and reads.
const VERSION: u32 = 3;

/// Name of the array that holds [`Header`] as JSON text.
const HEADER: &str = "resilience.checkpoint";

/// What the names of averaged weights and of the best ones begin with.
const AVERAGE: &str = "average.";
const BEST: &str = "best.";

/// What a checkpoint says besides its tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    /// Everything that decides how the run goes on; must be equal on resume.
    identity: Vec<(String, String)>,
    /// Steps of the optimiser, and updates of the average.
    steps: u64,
    updates: u64,
    epochs: Vec<EpochRecord>,
    /// The epoch of the best weights, where they are kept.
    best: Option<u32>,
}

/// What must be the same for a run to go on as if it had never stopped.
pub(super) fn identity(
    model: &Native,
    images: &Images,
    plan: &Plan,
    computes_in: &str,
) -> Vec<(String, String)> {
    let data = images.record();
    let attacks_in = if own_kernels() { "own kernels, where there are some" } else { "libtorch" };
    let mut identity = plan.settings();
    identity.extend([
        ("data".to_owned(), format!("{} {}, {} images", data.name, data.split, data.n)),
        ("data sha256".to_owned(), data.sha256),
        ("normalisation".to_owned(), model.normalise().describe().to_owned()),
        // The order of additions depends on these.
        ("computed in".to_owned(), computes_in.to_owned()),
        ("attacked in".to_owned(), attacks_in.to_owned()),
        ("threads".to_owned(), crate::threads().to_string()),
        ("libtorch".to_owned(), crate::LIBTORCH_VERSION.to_owned()),
    ]);
    identity
}

/// Writes the state, atomically.
pub(super) fn save(
    path: &Path,
    identity: &[(String, String)],
    state: &State,
) -> Result<(), EngineError> {
    let (steps, tensors) = state.optimiser.state();
    let header = Header {
        version: VERSION,
        identity: identity.to_vec(),
        steps,
        updates: state.average.as_ref().map_or(0, Average::updates),
        epochs: state.epochs.clone(),
        best: state.best.as_ref().map(|best| best.epoch),
    };
    let header = serde_json::to_vec(&header).map_err(|error| damaged(path, &error.to_string()))?;
    let header = Array::new(vec![header.len()], ArrayData::U8(header));
    let mut dict = state.model.network().state_dict()?;
    for (name, tensor) in tensors {
        dict.entries.push((name, to_array(tensor)?));
    }
    let mut add = |prefix: &str, more: StateDict| {
        let named = |(name, array)| (format!("{prefix}{name}"), array);
        dict.entries.extend(more.entries.into_iter().map(named));
    };
    if let Some(average) = &state.average {
        add(AVERAGE, average.model().network().state_dict()?);
    }
    if let Some(best) = &state.best {
        add(BEST, best.weights.clone());
    }
    dict.entries.extend(header.map(|array| (HEADER.to_owned(), array)));
    Ok(safetensors::write(path, &dict)?)
}

/// Puts the state back.
pub(super) fn load(
    path: &Path,
    identity: &[(String, String)],
    state: &mut State,
) -> Result<(), EngineError> {
    let mut dict = weights::read_weights(path)?;
    let header = header(path, &dict, identity)?;
    let mut part = |prefix: &str| {
        let (found, rest) = std::mem::take(&mut dict.entries)
            .into_iter()
            .partition(|(name, _): &(String, Array)| name.starts_with(prefix));
        dict.entries = rest;
        found
    };
    let (memory, average, best) = (part(optim::PREFIX), part(AVERAGE), part(BEST));
    let _ = part(HEADER);
    state.model.network().load_state_dict(&dict)?;
    let names: Vec<String> = state.model.network().parameters().map(|p| p.name.clone()).collect();
    let _guard = tch::no_grad_guard();
    for (name, tensor) in state.optimiser.restore(header.steps) {
        let Some((_, array)) = memory.iter().find(|(key, _)| *key == name) else {
            return Err(damaged(path, &format!("'{name}' is missing")));
        };
        let values = Tensor::f_from_slice(&array.to_f64())?.f_reshape(tensor.size())?;
        tensor.f_copy_(&values)?;
    }
    if let Some(kept) = &mut state.average {
        kept.model().network().load_state_dict(&without(AVERAGE, average))?;
        kept.set_updates(header.updates);
    }
    state.best = header.best.map(|epoch| {
        let mut weights = without(BEST, best);
        // A file has its own order; the network's is that of the weights that are written at the end.
        let place = |name: &str| names.iter().position(|other| other == name);
        weights.entries.sort_by_key(|(name, _)| place(name));
        Best { epoch, weights }
    });
    state.epochs = header.epochs;
    Ok(())
}

/// The arrays with the prefix taken off their names.
fn without(prefix: &str, entries: Vec<(String, Array)>) -> StateDict {
    let bare = |(name, array): (String, Array)| (name[prefix.len()..].to_owned(), array);
    entries.into_iter().map(bare).collect()
}

/// The header, where it is that of the same run.
fn header(
    path: &Path,
    dict: &StateDict,
    identity: &[(String, String)],
) -> Result<Header, EngineError> {
    let Some(ArrayData::U8(header)) = dict.get(HEADER).map(Array::data) else {
        return Err(damaged(path, "it has no header, so it is no checkpoint"));
    };
    let version = serde_json::from_slice::<serde_json::Value>(header)
        .map_err(|error| damaged(path, &error.to_string()))?["version"]
        .clone();
    if version != VERSION {
        return Err(damaged(path, &format!("it is of version {version}, not {VERSION}")));
    }
    let header: Header =
        serde_json::from_slice(header).map_err(|error| damaged(path, &error.to_string()))?;
    let then = |name: &str| header.identity.iter().find(|(known, _)| known == name);
    for (name, now) in identity {
        if let Some((_, then)) = then(name).filter(|(_, then)| then != now) {
            return Err(damaged(path, &format!("its {name} is '{then}', now it is '{now}'")));
        }
    }
    if identity.len() != header.identity.len()
        || identity.iter().any(|(name, _)| then(name).is_none())
    {
        let unknown = |(name, _): &&(String, String)| then(name).is_none();
        let new = identity.iter().find(unknown).map(|(name, _)| name.as_str());
        let gone =
            header.identity.iter().find(|(name, _)| !identity.iter().any(|(n, _)| n == name));
        return Err(damaged(
            path,
            &match (new, gone) {
                (Some(name), _) => format!("nothing is said there of {name}"),
                (None, Some((name, value))) => {
                    format!("its {name} is '{value}', now there is none")
                }
                (None, None) => "another version of the program wrote it".to_owned(),
            },
        ));
    }
    Ok(header)
}

/// Whether the machine can compute in our own kernels.
fn own_kernels() -> bool {
    #[cfg(target_arch = "x86_64")]
    return crate::kernel::available();
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

fn damaged(path: &Path, difference: &str) -> EngineError {
    EngineError::Checkpoint { path: path.display().to_string(), difference: difference.to_owned() }
}
