//! A linear model: the gradient of every logit is known, and so is the best attack.

use std::cell::Cell;

use resilience::EngineError;
use resilience::model::{Classifier, Differentiable, Pass, Passes};
use resilience_core::threat::Norm;
use tch::{Device, Kind, Tensor};

/// logits = x W^T.
pub struct Linear {
    weight: Tensor, // [k, c h w]
    passes: Cell<Passes>,
}

impl Linear {
    /// A model for images of that shape with weights that are all different.
    pub fn new(shape: [i64; 4], classes: i64) -> Self {
        let features = shape[1] * shape[2] * shape[3];
        let numbers = Tensor::arange(classes * features, (Kind::Float, Device::Cpu));
        let weight = (numbers * 1.37 + 0.2).sin().view([classes, features]);
        Self { weight, passes: Cell::default() }
    }

    /// A model that gives the same logits for every image.
    pub fn constant(shape: [i64; 4], classes: i64) -> Self {
        let features = shape[1] * shape[2] * shape[3];
        let weight = Tensor::zeros([classes, features], (Kind::Float, Device::Cpu));
        Self { weight, passes: Cell::default() }
    }

    /// The dual norm of the gradient of the margin between the first two classes.
    pub fn dual_norm(&self, norm: Norm) -> f64 {
        let gradient = (self.weight.get(0) - self.weight.get(1)).abs().to_kind(Kind::Double);
        match norm {
            Norm::Linf => gradient.sum(Kind::Double),
            Norm::L2 => gradient.square().sum(Kind::Double).sqrt(),
            Norm::L1 => gradient.max(),
        }
        .double_value(&[])
    }

    fn add(&self, forwards: i64) {
        let mut passes = self.passes.get();
        passes += Passes { forwards: forwards as u64, backwards: 0 };
        self.passes.set(passes);
    }
}

impl Classifier for Linear {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        self.add(images.size()[0]);
        Ok(images.flatten(1, -1).matmul(&self.weight.tr()))
    }

    fn passes(&self) -> Passes {
        self.passes.get()
    }
}

impl Differentiable for Linear {
    fn pass(&self, images: &Tensor) -> Result<Pass<'_>, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let logits = self.logits(&images)?;
        Ok(Pass::new(images, logits, &self.passes))
    }
}
