//! A network of the zoo with its normalisation.

use std::rc::Rc;

use resilience_core::format::array::StateDict;
use resilience_core::view::View;
use tch::{Kind, Tensor};

#[cfg(target_arch = "x86_64")]
use super::Compiled;
use super::input::Input;
use super::{Classifier, Differentiable, Normalise, Pass};
use crate::error::EngineError;
use crate::layer::Mode;
use crate::zoo::{self, Network, Trainable};

/// A native network that takes pixels in [0, 1].
pub struct Native {
    network: Network,
    input: Input,
}

impl Native {
    /// Joins a network with its normalisation.
    #[must_use]
    pub fn new(network: Network, normalise: Normalise) -> Self {
        Self::behind(network, Input { normalise: Rc::new(normalise), noise: 0.0, levels: None })
    }

    /// Joins a network with all that happens to the pixels first.
    pub(super) const fn behind(network: Network, input: Input) -> Self {
        Self { network, input }
    }

    /// The same model with the values inside its network in bf16.
    #[must_use]
    pub fn with_inner_bf16(self) -> Self {
        Self { network: self.network.with_inner_bf16(), ..self }
    }

    /// The same model behind Gaussian noise of this standard deviation (0 for none), drawn anew
    /// from libtorch's generator in every pass and added to the pixels: a randomised defence.
    #[must_use]
    pub fn with_input_noise(self, deviation: f64) -> Self {
        Self { input: Input { noise: deviation, ..self.input }, ..self }
    }

    /// The same model behind a rounding of pixels to so many values, 2 or more, evenly from 0 to 1: a
    /// defence without a gradient (feature squeezing, Xu et al. 2018), which is differentiated as if it
    /// were not there.
    #[must_use]
    pub fn with_input_levels(self, levels: Option<u32>) -> Self {
        Self { input: Input { levels, ..self.input }, ..self }
    }

    /// The same model with another form of its network.
    pub(crate) fn with_network(&self, network: Network) -> Self {
        Self { network, input: self.input.clone() }
    }

    /// A network of the zoo in f32 with weights from a state dict, fixed, ready to be evaluated.
    pub fn load(
        architecture: &str,
        state: &StateDict,
        mean: [f64; 3],
        std: [f64; 3],
    ) -> Result<Self, EngineError> {
        let network = zoo::find(architecture)?.empty(Kind::Float)?;
        network.load_state_dict(state)?;
        network.set_trainable(Trainable::No)?;
        let normalise = normalise(network.architecture().input[0] as usize, mean, std)?;
        if network.standardises()? && normalise.values()?.is_some() {
            return Err(EngineError::NormalisedTwice { given: normalise.describe().to_owned() });
        }
        Ok(Self::new(network, normalise))
    }

    /// A network of the zoo in f32 with initial weights drawn from `seed`, ready to be trained.
    pub fn initial(
        architecture: &str,
        seed: u64,
        mean: [f64; 3],
        std: [f64; 3],
    ) -> Result<Self, EngineError> {
        let network = zoo::find(architecture)?.build(seed, Kind::Float)?;
        let normalise = normalise(network.architecture().input[0] as usize, mean, std)?;
        Ok(Self::new(network, normalise))
    }

    /// What happens to the pixels first, noise included.
    pub(super) const fn input(&self) -> &Input {
        &self.input
    }

    /// The normalisation of the pixels.
    #[must_use]
    pub fn normalise(&self) -> &Normalise {
        &self.input.normalise
    }

    /// The network inside.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Images `[n,c,h,w]` in [0, 1] -> logits `[n,k]`, with the graph behind them.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        self.network.forward(&self.input.prepare(images)?, mode)
    }
}

/// The normalisation of images of so many channels; of grey ones the three numbers must be the same.
pub(super) fn normalise(
    channels: usize,
    mean: [f64; 3],
    std: [f64; 3],
) -> Result<Normalise, EngineError> {
    let same = |values: [f64; 3]| values.iter().all(|value| value.to_bits() == values[0].to_bits());
    if channels == 1 && !(same(mean) && same(std)) {
        return Err(EngineError::Input {
            what: "mean and std of grey images",
            expected: "one number each".to_owned(),
            found: format!("{mean:?} and {std:?}"),
        });
    }
    Normalise::new(&mean[..channels.min(3)], &std[..channels.min(3)], Kind::Float)
}

impl Classifier for Native {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let _guard = tch::no_grad_guard();
        self.forward(images, Mode::Eval)
    }

    fn declared_noisy(&self) -> bool {
        self.input.noise > 0.0
    }
}

impl Differentiable for Native {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.f_detach()?.f_set_requires_grad(true)?;
        let logits = self.forward(&images, Mode::Eval)?;
        Ok(Pass::new(images, logits))
    }

    fn form(&self, view: View) -> Result<Option<Box<dyn Differentiable>>, EngineError> {
        Ok(match view {
            View::Reference => None,
            View::Folded => Some(Box::new(self.with_network(self.network.folded()?))),
            View::Bf16 => Some(Box::new(self.with_network(self.network.half()?))),
            #[cfg(target_arch = "x86_64")]
            View::Compiled => {
                let compiled = Compiled::new(self)?;
                compiled.map(|compiled| Box::new(compiled) as Box<dyn Differentiable>)
            }
            #[cfg(not(target_arch = "x86_64"))]
            View::Compiled => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use resilience_core::format::array::{Array, ArrayData};

    use super::*;

    /// Would catch pixels that are normalised by the weights file and once more by the manifest.
    #[test]
    fn pixels_are_normalised_once() {
        let name = "dm-wideresnet-10-1";
        let mut state = zoo::find(name).unwrap().empty(Kind::Float).unwrap().state_dict().unwrap();
        let load = |state: &StateDict, mean| Native::load(name, state, [mean; 3], [1.0; 3]);
        assert!(load(&state, 0.5).is_ok());
        let half = Array::new(vec![3, 1, 1], ArrayData::F32(vec![0.5; 3])).unwrap();
        for (_, array) in state.entries.iter_mut().filter(|(name, _)| name == "mean") {
            array.clone_from(&half);
        }
        assert!(load(&state, 0.0).is_ok());
        let error = load(&state, 0.5).err().unwrap();
        assert!(matches!(error, EngineError::NormalisedTwice { .. }), "{error}");
    }

    /// Would catch grey images that are normalised as if they were of colour.
    #[test]
    fn grey_images_have_one_mean() {
        let load = |mean| Native::initial("cifar-wide:size=28,channels=1", 0, mean, [0.5; 3]);
        let model = load([0.25; 3]).unwrap();
        let images = Tensor::zeros([2, 1, 28, 28], (Kind::Float, tch::Device::Cpu));
        assert_eq!(model.logits(&images).unwrap().size(), [2, 10]);
        assert!(load([0.25, 0.5, 0.5]).is_err());
    }
}
