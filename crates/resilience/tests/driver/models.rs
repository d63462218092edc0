//! Small models that are right on many images, so that there is something to break.

use resilience::EngineError;
use resilience::batch::Batch;
use resilience::model::{Classifier, Differentiable, Model, Native, Pass};
use resilience_core::dataset::{Images, Split, shapes10};
use tch::{Device, Kind, Tensor};

use super::shapes;

/// Says which class's mean image is nearest: logits = x W^T + b.
pub struct Nearest {
    weight: Tensor,
    bias: Tensor,
}

impl Nearest {
    pub fn new() -> Self {
        let images = shapes(Split::Train, 600);
        let Batch { images, labels } = Batch::from_images(&images, 0..600).unwrap();
        let flat = images.flatten(1, -1);
        let means = (0..10)
            .map(|class| flat.index_select(0, &labels.eq(class).nonzero().squeeze_dim(1)))
            .map(|of_class| of_class.mean_dim([0_i64].as_slice(), false, Kind::Float))
            .collect::<Vec<_>>();
        let weight = Tensor::stack(&means, 0);
        // What all classes have in common only costs digits.
        let common = weight.mean_dim([0_i64].as_slice(), true, Kind::Float);
        let squares = weight.square() - common.square();
        let bias = squares.sum_dim_intlist([1].as_slice(), false, Kind::Float) * -0.5;
        let weight = weight - common;
        Self { weight, bias }
    }

    /// Nearly the same, with weights that are off by up to a tenth.
    fn tilted(&self) -> Self {
        let numbers = Tensor::arange(self.weight.numel() as i64, (Kind::Float, Device::Cpu));
        let factors = (numbers * 0.37).sin().view_as(&self.weight) * 0.1 + 1.0;
        Self { weight: &self.weight * factors, bias: self.bias.copy() }
    }

    pub fn forward(&self, images: &Tensor) -> Tensor {
        images.flatten(1, -1).matmul(&self.weight.tr()) + &self.bias
    }
}

impl Classifier for Nearest {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(self.forward(images))
    }
}

impl Differentiable for Nearest {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let logits = self.forward(&images);
        Ok(Pass::new(images, logits))
    }
}

/// Images that a model says itself to be what they are, all but every seventh.
fn labelled(model: &dyn Classifier, n: usize) -> Images {
    let images = shapes(Split::Test, n);
    let batch = Batch::from_images(&images, 0..n).unwrap();
    let predicted = model.logits(&batch.images).unwrap().argmax(1, false);
    let predicted = Vec::<i64>::try_from(predicted).unwrap();
    let label = |(index, class): (usize, i64)| (class as u32 + u32::from(index % 7 == 3)) % 10;
    let labels = predicted.into_iter().enumerate().map(label).collect();
    Images::new(&shapes10::SPEC, Split::Test, images.bytes().unwrap().to_vec(), labels)
}

/// The linear model, with images.
pub fn linear(n: usize) -> (Model, Images) {
    let model = Nearest::new();
    let images = labelled(&model, n);
    (Model::plain("model", Box::new(model)), images)
}

/// The linear model, which attacks see as another one that is nearly the same, with images.
pub fn disguised(n: usize) -> (Model, Images) {
    let (model, images) = linear(n);
    (Model { search: Some(Box::new(Nearest::new().tilted())), ..model }, images)
}

/// A convolutional network as it is before training, with noise of that deviation in front, and
/// images.
pub fn convolutional(n: usize, noise: f64) -> (Model, Images) {
    let native = Native::initial("resilience-cnn", 5, [0.5; 3], [0.25; 3]).unwrap();
    let images = labelled(&native, n);
    (Model::plain("model", Box::new(native.with_input_noise(noise))), images)
}
