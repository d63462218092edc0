//! A network of the zoo with its normalisation.

use std::rc::Rc;

use resilience_core::format::array::StateDict;
use tch::{Kind, Tensor};

use super::{Classifier, Differentiable, Normalise, Pass};
use crate::error::EngineError;
use crate::layer::Mode;
use crate::zoo::{self, Network, Trainable};

/// A native network that takes pixels in [0, 1].
pub struct Native {
    network: Network,
    normalise: Rc<Normalise>,
    input_noise: f64,
}

impl Native {
    /// Joins a network with its normalisation.
    #[must_use]
    pub fn new(network: Network, normalise: Normalise) -> Self {
        Self { network, normalise: Rc::new(normalise), input_noise: 0.0 }
    }

    /// The same model behind Gaussian noise of this standard deviation (0 for none), drawn anew
    /// from libtorch's generator in every pass and added to the pixels: a randomised defence.
    #[must_use]
    pub fn with_input_noise(self, deviation: f64) -> Self {
        Self { input_noise: deviation, ..self }
    }

    /// The same model with its network [folded](Network::folded).
    pub fn folded(&self) -> Result<Self, EngineError> {
        Ok(Self {
            network: self.network.folded()?,
            normalise: Rc::clone(&self.normalise),
            input_noise: self.input_noise,
        })
    }

    /// A network of the zoo in f32 with weights from a state dict, fixed, ready to be evaluated.
    pub fn load(
        architecture: &str,
        state: &StateDict,
        mean: [f64; 3],
        std: [f64; 3],
    ) -> Result<Self, EngineError> {
        let network = zoo::find(architecture)?.build(0, Kind::Float)?;
        network.load_state_dict(state)?;
        network.set_trainable(Trainable::No)?;
        Ok(Self::new(network, Normalise::new(&mean, &std, Kind::Float)?))
    }

    /// A network of the zoo in f32 with initial weights drawn from `seed`, ready to be trained.
    pub fn initial(
        architecture: &str,
        seed: u64,
        mean: [f64; 3],
        std: [f64; 3],
    ) -> Result<Self, EngineError> {
        let network = zoo::find(architecture)?.build(seed, Kind::Float)?;
        Ok(Self::new(network, Normalise::new(&mean, &std, Kind::Float)?))
    }

    /// What happens to the pixels first.
    #[must_use]
    pub fn normalise(&self) -> &Normalise {
        &self.normalise
    }

    /// The network inside.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Images `[n,c,h,w]` in [0, 1] -> logits `[n,k]`, with the graph behind them.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        if self.input_noise > 0.0 {
            let noise = images.f_randn_like()?.f_mul_scalar(self.input_noise)?;
            return self.network.forward(&self.normalise.apply(&images.f_add(&noise)?)?, mode);
        }
        self.network.forward(&self.normalise.apply(images)?, mode)
    }
}

impl Classifier for Native {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let _guard = tch::no_grad_guard();
        self.forward(images, Mode::Eval)
    }

    fn declared_noisy(&self) -> bool {
        self.input_noise > 0.0
    }
}

impl Differentiable for Native {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.f_detach()?.f_set_requires_grad(true)?;
        let logits = self.forward(&images, Mode::Eval)?;
        Ok(Pass::new(images, logits))
    }
}
