//! The state of a training run after an epoch, in one safetensors file: weights, optimiser,
//! history, and what run it belongs to.

use std::path::Path;

use resilience_core::dataset::Images;
use resilience_core::format::array::{Array, ArrayData, StateDict};
use resilience_core::format::{safetensors, weights};
use resilience_core::record::EpochRecord;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Plan;
use crate::error::EngineError;
use crate::model::Native;
use crate::optim::Adam;
use crate::zoo::to_array;

/// Version of the header that this program writes and reads.
const VERSION: u32 = 2;

/// Name of the array that holds [`Header`] as JSON text.
const HEADER: &str = "resilience.checkpoint";

/// What a checkpoint says besides its tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    /// Everything that decides how the run goes on; must be equal on resume.
    identity: Vec<(String, String)>,
    steps: u64,
    epochs: Vec<EpochRecord>,
}

/// What must be the same for a run to go on as if it had never stopped.
pub(super) fn identity(
    model: &Native,
    images: &Images,
    plan: &Plan,
    computes_in: &str,
) -> Vec<(String, String)> {
    let data = images.record();
    let mut identity = plan.settings();
    identity.extend([
        ("architecture".to_owned(), model.network().architecture().id.to_owned()),
        ("data".to_owned(), format!("{} {}, {} images", data.name, data.split, data.n)),
        ("data sha256".to_owned(), data.sha256),
        ("normalisation".to_owned(), model.normalise().describe().to_owned()),
        // The order of additions depends on these.
        ("computed in".to_owned(), computes_in.to_owned()),
        ("threads".to_owned(), crate::threads().to_string()),
        ("libtorch".to_owned(), crate::LIBTORCH_VERSION.to_owned()),
    ]);
    identity
}

/// Writes the state, atomically.
pub(super) fn save(
    path: &Path,
    identity: &[(String, String)],
    model: &Native,
    optimiser: &Adam,
    epochs: &[EpochRecord],
) -> Result<(), EngineError> {
    let (steps, tensors) = optimiser.state();
    let header =
        Header { version: VERSION, identity: identity.to_vec(), steps, epochs: epochs.to_vec() };
    let header = serde_json::to_vec(&header).map_err(|error| damaged(path, &error.to_string()))?;
    let header = Array::new(vec![header.len()], ArrayData::U8(header));
    let mut state = model.network().state_dict()?;
    for (name, tensor) in tensors {
        state.entries.push((name, to_array(tensor)?));
    }
    state.entries.extend(header.map(|array| (HEADER.to_owned(), array)));
    Ok(safetensors::write(path, &state)?)
}

/// Puts the state back into the model and the optimiser, and gives the epochs that are done.
pub(super) fn load(
    path: &Path,
    identity: &[(String, String)],
    model: &Native,
    optimiser: &mut Adam,
) -> Result<Vec<EpochRecord>, EngineError> {
    let state = weights::read_weights(path)?;
    let Some(ArrayData::U8(header)) = state.get(HEADER).map(Array::data) else {
        return Err(damaged(path, "it has no header, so it is no checkpoint"));
    };
    let header: Header =
        serde_json::from_slice(header).map_err(|error| damaged(path, &error.to_string()))?;
    if header.version != VERSION {
        let found = header.version;
        return Err(damaged(path, &format!("it is of version {found}, not {VERSION}")));
    }
    let then = |name: &str| header.identity.iter().find(|(known, _)| known == name);
    for (name, now) in identity {
        if let Some((_, then)) = then(name).filter(|(_, then)| then != now) {
            return Err(damaged(path, &format!("its {name} is '{then}', now it is '{now}'")));
        }
    }
    if identity.len() != header.identity.len()
        || identity.iter().any(|(name, _)| then(name).is_none())
    {
        return Err(damaged(path, "another version of the program wrote it"));
    }
    let (own, rest): (Vec<_>, Vec<_>) = state
        .entries
        .into_iter()
        .filter(|(name, _)| name != HEADER)
        .partition(|(name, _)| !name.starts_with("adam."));
    model.network().load_state_dict(&StateDict { entries: own })?;
    let _guard = tch::no_grad_guard();
    for (name, tensor) in optimiser.restore(header.steps) {
        let Some((_, array)) = rest.iter().find(|(key, _)| *key == name) else {
            return Err(damaged(path, &format!("'{name}' is missing")));
        };
        let values = Tensor::f_from_slice(&array.to_f64())?.f_reshape(tensor.size())?;
        tensor.f_copy_(&values)?;
    }
    Ok(header.epochs)
}

fn damaged(path: &Path, difference: &str) -> EngineError {
    EngineError::Checkpoint { path: path.display().to_string(), difference: difference.to_owned() }
}
