//! A linear model: the gradient of every logit is known, and so is the best attack.

use resilience::EngineError;
use resilience::model::{Classifier, Differentiable, Pass};
use resilience_core::threat::Norm;
use tch::{Device, Kind, Tensor};

/// logits = x W^T + b.
pub struct Linear {
    weight: Tensor, // [k, c h w]
    bias: Tensor,   // [k]
}

impl Linear {
    /// A model for images of that shape with weights that are all different.
    pub fn new(shape: [i64; 4], classes: i64) -> Self {
        let features = shape[1] * shape[2] * shape[3];
        let numbers = Tensor::arange(classes * features, (Kind::Double, Device::Cpu));
        // A sine of the number alone would give rows that all lie in one plane.
        let weight = (&numbers * &numbers * 0.137 + numbers * 1.37 + 0.2).sin();
        let weight = weight.view([classes, features]);
        // Grey images are as near to every class.
        let weight = &weight - weight.mean_dim([1_i64].as_slice(), true, Kind::Double);
        let weight = weight.to_kind(Kind::Float);
        Self { weight, bias: Tensor::zeros([classes], (Kind::Float, Device::Cpu)) }
    }

    /// A model that gives the same logits for every image.
    pub fn constant(shape: [i64; 4], logits: &[f32]) -> Self {
        let features = shape[1] * shape[2] * shape[3];
        let weight = Tensor::zeros([logits.len() as i64, features], (Kind::Float, Device::Cpu));
        Self { weight, bias: Tensor::from_slice(logits) }
    }

    /// The same with logits so many times as large.
    pub fn scaled(&self, factor: f64) -> Self {
        Self { weight: &self.weight * factor, bias: &self.bias * factor }
    }

    /// The number of classes.
    pub fn classes(&self) -> u32 {
        self.weight.size()[0] as u32
    }

    /// The gradients of the margins of `label` against each other class, `[k - 1, c h w]` in f64.
    pub fn margins(&self, label: i64) -> Tensor {
        let others = (0..self.weight.size()[0]).filter(|&class| class != label);
        let others = Tensor::from_slice(&others.collect::<Vec<_>>());
        (self.weight.get(label) - self.weight.index_select(0, &others)).to_kind(Kind::Double)
    }

    /// How much each margin of `label` falls at most in a ball of radius 1: `[k - 1]`.
    pub fn falls(&self, norm: Norm, label: i64) -> Tensor {
        let (gradients, dim) = (self.margins(label).abs(), [1_i64]);
        match norm {
            Norm::Linf => gradients.sum_dim_intlist(dim.as_slice(), false, Kind::Double),
            Norm::L2 => {
                gradients.square().sum_dim_intlist(dim.as_slice(), false, Kind::Double).sqrt()
            }
            Norm::L1 => gradients.amax(dim, false),
        }
    }
}

impl Classifier for Linear {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(images.flatten(1, -1).matmul(&self.weight.tr()) + &self.bias)
    }
}

impl Differentiable for Linear {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let logits = self.logits(&images)?;
        Ok(Pass::new(images, logits))
    }
}
