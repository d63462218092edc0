//! How well a state dict fits an architecture, and which architecture it fits best.

use std::collections::HashMap;

use resilience_core::format::array::StateDict;

use super::shapes::Shapes;
use super::{ARCHITECTURES, Architecture};
use crate::error::EngineError;
use crate::layer::Parameter;

/// The counters of batch norm: known, and not needed to evaluate.
const COUNTER: &str = "num_batches_tracked";

/// Sides of images that data sets have.
const USUAL_SIZES: [i64; 5] = [28, 32, 64, 96, 224];

/// Below this share of tensors that fit, an architecture is no candidate.
const WORTH_NAMING: f64 = 0.2;

/// What fits and what does not.
#[derive(Clone, Debug)]
pub struct Fit {
    /// Whose names and shapes the state dict was held against.
    pub architecture: Architecture,
    /// Tensors of the right name and shape.
    pub fitting: usize,
    /// Tensors that the state dict lacks, with the shape that they should have.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Tensors that have no place, with their shape.
    pub unused: Vec<(String, Vec<usize>)>,
    /// Tensors of another shape.
    pub reshaped: Vec<Reshaped>,
}

/// A tensor of another shape than the architecture's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reshaped {
    /// Its name.
    pub name: String,
    /// The architecture's shape.
    pub expected: Vec<usize>,
    /// The state dict's.
    pub found: Vec<usize>,
}

impl Fit {
    /// Of a state dict and an architecture.
    pub fn of(architecture: &Architecture, state: &StateDict) -> Result<Self, EngineError> {
        let network = architecture.outline()?;
        Ok(Self::between(architecture, network.parameters(), state))
    }

    /// Of a state dict and the parameters of such a network.
    pub(super) fn between<'a>(
        architecture: &Architecture,
        parameters: impl Iterator<Item = &'a Parameter>,
        state: &StateDict,
    ) -> Self {
        let mut fit = Self {
            architecture: architecture.clone(),
            fitting: 0,
            missing: Vec::new(),
            unused: Vec::new(),
            reshaped: Vec::new(),
        };
        let mut found: HashMap<&str, &[usize]> =
            state.entries.iter().map(|(name, array)| (name.as_str(), array.shape())).collect();
        for parameter in parameters {
            let expected: Vec<usize> =
                parameter.tensor.size().iter().map(|&side| side as usize).collect();
            let name = parameter.name.clone();
            match found.remove(name.as_str()) {
                None if parameter.needed => fit.missing.push((name, expected)),
                None => {}
                Some(shape) if shape == expected => fit.fitting += 1,
                Some(shape) => {
                    fit.reshaped.push(Reshaped { name, expected, found: shape.to_vec() });
                }
            }
        }
        let idle = architecture.spec().idle;
        let left = state.entries.iter().filter(|(name, _)| found.contains_key(name.as_str()));
        let unused = left.filter(|(name, _)| {
            !name.ends_with(COUNTER) && !idle.iter().any(|prefix| name.starts_with(prefix))
        });
        fit.unused.extend(unused.map(|(name, array)| (name.clone(), array.shape().to_vec())));
        fit
    }

    /// Whether nothing is missing, left over or of another shape.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.missing.is_empty() && self.unused.is_empty() && self.reshaped.is_empty()
    }

    /// How many tensors there are in both together.
    #[must_use]
    pub const fn tensors(&self) -> usize {
        self.fitting + self.missing.len() + self.unused.len() + self.reshaped.len()
    }

    /// What does not fit, a phrase each, with names and shapes.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let missing =
            self.missing.iter().map(|(name, shape)| format!("'{name}' {shape:?} is missing"));
        let reshaped = self.reshaped.iter().map(|Reshaped { name, expected, found }| {
            format!("'{name}' has shape {found:?}, not {expected:?}")
        });
        let unused =
            self.unused.iter().map(|(name, shape)| format!("'{name}' {shape:?} has no place"));
        missing.chain(reshaped).chain(unused).collect()
    }

    /// Share of tensors that fit, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.fitting as f64 / self.tensors().max(1) as f64
    }
}

/// The architectures that a state dict is likely of, the likeliest first: those that it fits exactly, or,
/// where there is none, up to three that come near. Each with the parameters that the shapes show.
#[must_use]
pub fn likely(state: &StateDict) -> Vec<Fit> {
    let shapes = Shapes::of(state);
    let candidates = ARCHITECTURES.iter().filter_map(|spec| {
        // A guess that is no value of a parameter is a guess that is wrong.
        let guess = (spec.guess)(&shapes);
        let architecture = Architecture::new(spec, guess.given()).ok()?;
        Fit::of(&architecture, state).ok()
    });
    let mut fits: Vec<Fit> = candidates.filter(|fit| fit.share() > WORTH_NAMING).collect();
    fits.sort_by(|a, b| {
        let unusual = |Fit { architecture, .. }: &Fit| {
            let size = !USUAL_SIZES.contains(&architecture.size());
            architecture.parameters().len() + usize::from(size)
        };
        b.share().total_cmp(&a.share()).then_with(|| unusual(a).cmp(&unusual(b)))
    });
    let exact = fits.iter().filter(|fit| fit.is_exact()).count();
    fits.truncate(if exact > 0 { exact } else { 3 });
    fits
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::zoo::{ArchitectureSpec, find};

    /// Would catch an architecture that its own files are not taken for, and parameters that are read from
    /// the wrong shape.
    #[test]
    fn every_architecture_is_recognised_by_its_shapes() {
        for &spec in ARCHITECTURES {
            for architecture in [spec.small().unwrap(), grey(spec)] {
                let state = architecture.empty(Kind::Float).unwrap().state_dict().unwrap();
                let fits = likely(&state);
                assert!(fits.iter().all(Fit::is_exact), "{}", architecture.name());
                // What shapes do not show may be otherwise.
                let shown = |architecture: &Architecture| {
                    let mut all = architecture.parameters();
                    all.retain(|(name, _)| !spec.unseen.contains(&name.as_str()));
                    (architecture.spec().id, all)
                };
                let found: Vec<_> = fits.iter().map(|fit| shown(&fit.architecture)).collect();
                assert!(
                    found.contains(&shown(&architecture)),
                    "{}: {found:?}",
                    architecture.name()
                );
            }
        }
    }

    /// The small form for grey images and another number of classes.
    fn grey(spec: &'static ArchitectureSpec) -> Architecture {
        let pair = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let mut given: Vec<_> = spec.small.iter().map(pair).collect();
        given.extend([("channels", "1"), ("classes", "7"), ("size", "28")].iter().map(pair));
        Architecture::new(spec, &given).unwrap()
    }

    /// Would catch a network for other images being preferred to that for usual ones, which has the same names
    /// and shapes.
    #[test]
    fn usual_images_are_likelier() {
        for name in ["cifar-wide", "conv-small", "conv-small:size=28,channels=1"] {
            let state = find(name).unwrap().empty(Kind::Float).unwrap().state_dict().unwrap();
            let fits = likely(&state);
            assert_eq!(fits[0].architecture.name(), name);
            assert!(fits.len() > 1, "{name}");
        }
    }

    /// Would catch a report that leaves out a tensor or its shape, and a state dict that fits nothing
    /// being taken for something.
    #[test]
    fn a_misfit_is_told_in_full() {
        let architecture = find("resnet20").unwrap();
        let mut state = architecture.empty(Kind::Float).unwrap().state_dict().unwrap();
        let other = find("resnet20:classes=7").unwrap().empty(Kind::Float).unwrap();
        let weight = other.state_dict().unwrap().get("linear.weight").unwrap().clone();
        for (name, array) in &mut state.entries {
            if name == "linear.weight" {
                array.clone_from(&weight);
            } else if name == "bn1.bias" {
                "bn1.shift".clone_into(name);
            }
        }
        let fit = Fit::of(&architecture, &state).unwrap();
        assert_eq!(
            fit.problems(),
            [
                "'bn1.bias' [16] is missing",
                "'linear.weight' has shape [7, 64], not [10, 64]",
                "'bn1.shift' [16] has no place",
            ]
        );
        assert!(!fit.is_exact());
        let best = likely(&state);
        assert!(best[0].share() > 0.9 && best[0].architecture.name() == "resnet20:classes=7");
        assert!(likely(&StateDict::default()).is_empty());
    }

    /// Would catch a counter or a part that is known to be idle being called left over.
    #[test]
    fn what_is_known_to_be_idle_may_be_there() {
        let architecture = find("wideresnet-10-1").unwrap();
        let mut state = architecture.empty(Kind::Float).unwrap().state_dict().unwrap();
        let idle = state.entries[0].1.clone();
        for name in ["bn1.num_batches_tracked", "sub_block1.layer.0.conv1.weight"] {
            state.entries.push((name.to_owned(), idle.clone()));
        }
        assert!(Fit::of(&architecture, &state).unwrap().is_exact());
        state.entries.push(("block9.weight".to_owned(), idle));
        assert_eq!(Fit::of(&architecture, &state).unwrap().unused.len(), 1);
    }
}
