//! The network, the images and the threat that the cases of the attacks share.

use resilience::EngineError;
use resilience::attack::Rows;
use resilience::model::{Classifier, Differentiable, Pass};
use resilience::rng::Key;
use resilience_core::threat::{Eps, Norm, Threat};
use serde_json::Value;
use tch::{Kind, Tensor};

use super::{formula, numbers};

/// conv 3x3, ReLU, fully connected, with weights by formula.
pub struct Small {
    conv: (Tensor, Tensor),
    fc: (Tensor, Tensor),
}

/// A tensor of `signed` numbers, scaled.
pub fn weights(stream: u64, shape: &[i64], scale: f64) -> Tensor {
    let values = formula::signed(stream, shape.iter().product::<i64>() as usize);
    Tensor::from_slice(&values).view(shape) * scale
}

impl Small {
    /// That of `attack_network.py`, for images of `side` pixels.
    pub fn new(side: i64) -> Self {
        let bias = match side {
            8 => [-1.62, 2.18, -0.53, 1.19, 3.19, 0.02, -0.71, -1.06, 1.48, -0.3],
            16 => [-4.98, 3.09, 2.7, 1.82, -1.95, 1.69, -2.21, -1.59, 1.89, -4.79],
            _ => panic!("no case has images of {side} pixels"),
        };
        let weight = weights(4002, &[10, 4 * side * side], 0.25);
        Self::with_head(weight, Tensor::from_slice(&bias), Kind::Double)
    }

    /// The same with another fully connected layer.
    pub fn with_head(weight: Tensor, bias: Tensor, kind: Kind) -> Self {
        let conv = (weights(4000, &[4, 3, 3, 3], 0.5), weights(4001, &[4], 0.125));
        let cast = |(weight, bias): (Tensor, Tensor)| (weight.to_kind(kind), bias.to_kind(kind));
        Self { conv: cast(conv), fc: cast((weight, bias)) }
    }

    fn forward(&self, images: &Tensor) -> Tensor {
        let features = images.conv2d(&self.conv.0, Some(&self.conv.1), [1, 1], [1, 1], [1, 1], 1);
        features.relu().flatten(1, -1).linear(&self.fc.0, Some(&self.fc.1))
    }
}

impl Classifier for Small {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(tch::no_grad(|| self.forward(images)))
    }
}

impl Differentiable for Small {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let logits = self.forward(&images);
        Ok(Pass::new(images, logits))
    }
}

/// Whole numbers of a fixture.
pub fn classes(value: &Value) -> Vec<i64> {
    numbers(value).into_iter().map(|number| number as i64).collect()
}

/// The images of a fixture with their labels, which are what the network predicts, and the targets
/// where there are some.
pub fn rows(model: &Small, side: i64, fixture: &Value, targets: &Value) -> Rows {
    let chosen = classes(&fixture["rows"]);
    let pool = formula::images(8000 + side as u64, [64, 3, side, side]);
    let images = pool.index_select(0, &Tensor::from_slice(&chosen));
    let labels = Tensor::from_slice(&classes(&fixture["labels"]));
    assert_eq!(model.logits(&images).unwrap().argmax(1, false), labels, "another network");
    Rows {
        images,
        labels,
        targets: targets.is_array().then(|| Tensor::from_slice(&classes(targets))),
        indices: chosen.iter().map(|&row| row as u64).collect(),
        key: Key::new(0, "golden", 0),
        round: 0,
    }
}

/// The norm of a fixture.
pub fn norm(fixture: &Value) -> Norm {
    fixture["norm"].as_str().unwrap().parse().unwrap()
}

/// The threat of a fixture.
pub fn threat(fixture: &Value) -> Threat {
    let eps = fixture["eps"].as_f64().unwrap();
    Threat::new(norm(fixture), Eps::new(eps).unwrap()).unwrap()
}

/// Images `[n,3,side,side]` that a fixture holds in full.
pub fn images(values: &Value, side: i64) -> Tensor {
    Tensor::from_slice(&numbers(values)).view([-1, 3, side, side])
}

/// All numbers of a tensor.
pub fn flat(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.contiguous().view([-1]).to_kind(Kind::Double)).unwrap()
}

/// Fails unless the images have the digest of a fixture.
pub fn assert_digest(at: &str, images: &Tensor, expected: &Value, tolerance: f64) {
    let found = formula::digest(images, 8100);
    super::assert_close(at, &found, &formula::expected_digest(expected), tolerance);
}
