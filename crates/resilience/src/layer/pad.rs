//! Zero pixels around the image, not as many on each side.

use tch::Tensor;

use super::{Builder, Layer, Mode};
use crate::error::EngineError;

/// So many zero pixels to the left, to the right, above and below.
#[derive(Clone, Copy, Debug)]
pub struct Pad(pub [i64; 4]);

impl Pad {
    /// One to the right and one below: what a 3x3 window that halves an image of even sides needs to end
    /// with its edge, as TensorFlow's padding SAME has it.
    pub const BEHIND: Self = Self([0, 1, 0, 1]);

    /// The image with its margin.
    pub fn around(self, input: &Tensor) -> Result<Tensor, EngineError> {
        Ok(input.f_constant_pad_nd(self.0)?)
    }
}

impl Layer for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn kind(&self) -> String {
        let [left, right, above, below] = self.0;
        format!("zero padding: left {left}, right {right}, above {above}, below {below}")
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        self.around(input)
    }

    fn folded(&self, _: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(*self))
    }
}
