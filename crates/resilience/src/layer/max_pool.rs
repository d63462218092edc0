//! Max pooling of overlapping windows, as behind the first convolution of a network for ImageNet.

use tch::Tensor;

use super::{Builder, Layer, Mode};
use crate::error::EngineError;

/// The largest of 3x3 pixels, around every second one.
#[derive(Debug)]
pub struct MaxPool;

impl Layer for MaxPool {
    fn name(&self) -> &'static str {
        "maxpool"
    }

    fn kind(&self) -> String {
        "max pool 3x3, padding 1, stride 2".to_owned()
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        Ok(input.f_max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)?)
    }

    fn folded(&self, _: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(Self))
    }
}
