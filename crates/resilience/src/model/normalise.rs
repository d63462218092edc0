//! Per-channel normalisation inside a model.

use tch::{Kind, Tensor};

use crate::error::EngineError;

/// (x - mean) / std for each channel.
#[derive(Debug)]
pub struct Normalise {
    mean: Tensor, // [c,1,1]
    std: Tensor,  // [c,1,1]
    text: String,
    identity: bool,
}

impl Normalise {
    /// Mean and standard deviation of each channel, on the scale where pixels lie in [0, 1].
    pub fn new(mean: &[f64], std: &[f64], kind: Kind) -> Result<Self, EngineError> {
        let column = |values: &[f64]| -> Result<Tensor, EngineError> {
            Ok(Tensor::f_from_slice(values)?.f_view([-1, 1, 1])?.f_to_kind(kind)?)
        };
        // Exactly these values leave a pixel as it is.
        let is = |values: &[f64], one: f64| values.iter().all(|v| v.to_bits() == one.to_bits());
        let identity = is(mean, 0.0) && is(std, 1.0);
        let text = format!("mean {mean:?}, std {std:?}");
        Ok(Self { mean: column(mean)?, std: column(std)?, text, identity })
    }

    /// Mean and standard deviation in words.
    #[must_use]
    pub fn describe(&self) -> &str {
        &self.text
    }

    /// Mean and standard deviation of each channel, where they change anything.
    pub fn values(&self) -> Result<Option<[Vec<f32>; 2]>, EngineError> {
        if self.identity {
            return Ok(None);
        }
        let numbers = |column: &Tensor| -> Result<Vec<f32>, EngineError> {
            Ok(Vec::try_from(column.f_view([-1])?.f_to_kind(Kind::Float)?)?)
        };
        Ok(Some([numbers(&self.mean)?, numbers(&self.std)?]))
    }

    /// Pixels in [0, 1] -> what the network was trained on.
    pub fn apply(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        if self.identity {
            return Ok(images.shallow_clone());
        }
        Ok(images.f_sub(&self.mean)?.f_div(&self.std)?)
    }
}
