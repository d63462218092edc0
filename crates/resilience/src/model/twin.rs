//! The network of the zoo that a module out of a file is an export of: found by its weights, proved by its
//! logits.

use std::rc::Rc;

use resilience_core::format::array::StateDict;
use tch::{Kind, Tensor};

use super::input::Input;
use super::{Classifier, Native, Normalise};
use crate::error::EngineError;
use crate::zoo::{self, Trainable};

/// How far logits may lie apart, as a part of the largest.
const TOLERANCE: f64 = 1e-4;

/// The network of the zoo whose weights these are, if it gives these `logits` for these `images` behind this
/// input. A normalisation that the module does itself is found by the names of its numbers.
pub(super) fn find(
    state: &StateDict,
    input: &Input,
    images: &Tensor,
    logits: &Tensor,
) -> Result<Option<Native>, EngineError> {
    if let Some(twin) = with(state.clone(), input, images, logits)? {
        return Ok(Some(twin));
    }
    // Pixels that are normalised twice are no network's.
    let (None, Some((rest, [mean, std]))) = (input.normalise.values()?, own_normalisation(state))
    else {
        return Ok(None);
    };
    let normalise = Rc::new(Normalise::new(&mean, &std, Kind::Float)?);
    with(rest, &Input { normalise, ..input.clone() }, images, logits)
}

/// The same for weights of the network alone, under names that may have parts before them.
fn with(
    mut state: StateDict,
    input: &Input,
    images: &Tensor,
    logits: &Tensor,
) -> Result<Option<Native>, EngineError> {
    let (shape, classes) = (&images.size()[1..], logits.size()[1]);
    loop {
        for fit in zoo::likely(&state) {
            let architecture = &fit.architecture;
            let takes = architecture.input.as_slice() == shape && architecture.classes == classes;
            if !takes || !fit.is_exact() {
                continue;
            }
            let network = architecture.empty(Kind::Float)?;
            network.load_state_dict(&state)?;
            network.set_trainable(Trainable::No)?;
            let twin = Native::behind(network, input.clone());
            if is_near(&twin.logits(images)?, logits)? {
                return Ok(Some(twin));
            }
        }
        if !strip_first(&mut state) {
            return Ok(None);
        }
    }
}

fn is_near(found: &Tensor, logits: &Tensor) -> Result<bool, EngineError> {
    let far = found.f_sub(logits)?.f_abs()?.f_max()?.f_double_value(&[])?;
    let largest = logits.f_abs()?.f_max()?.f_double_value(&[])?;
    Ok(far <= TOLERANCE * largest)
}

/// The weights but a mean and a standard deviation of pixels, and these two.
fn own_normalisation(state: &StateDict) -> Option<(StateDict, [Vec<f64>; 2])> {
    let only = |names: [&str; 3]| {
        let mut named = state.entries.iter().filter(|(name, array)| {
            let last = name.rsplit('.').next().unwrap_or(name);
            let named = names.iter().any(|end| last.ends_with(end)) && !last.starts_with("running");
            named && matches!(array.data().len(), 1 | 3)
        });
        named.next().filter(|_| named.next().is_none())
    };
    let (mean, std) = (only(["mean", "means", "mu"])?, only(["std", "stds", "sigma"])?);
    let rest = state.entries.iter().filter(|(name, _)| *name != mean.0 && *name != std.0);
    Some((rest.cloned().collect(), [mean.1.to_f64(), std.1.to_f64()]))
}

/// Takes the first part off all names, where all have the same.
fn strip_first(state: &mut StateDict) -> bool {
    let Some((first, _)) = state.names().next().and_then(|name| name.split_once('.')) else {
        return false;
    };
    let prefix = format!("{first}.");
    if !state.names().all(|name| name.starts_with(&prefix)) {
        return false;
    }
    for (name, _) in &mut state.entries {
        name.drain(..prefix.len());
    }
    true
}
