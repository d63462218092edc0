//! A normalisation of pixels that belongs to the network and lies in its state dict.

use tch::Tensor;

use super::{Builder, Layer, Mode};
use crate::error::EngineError;

/// (x - mean) / std of each channel. A state dict that has neither leaves the pixels as they are: then a
/// manifest says mean and standard deviation, as of any other network.
#[derive(Debug)]
pub struct Standardise {
    mean: Tensor, // [c,1,1]
    std: Tensor,  // [c,1,1]
}

impl Standardise {
    /// For images of so many channels; its names are `mean` and `std`.
    pub fn new(builder: &mut Builder, channels: i64) -> Result<Self, EngineError> {
        let mut column = |name: &str, value| builder.optional(name, &[channels, 1, 1], value);
        Ok(Self { mean: column("mean", 0.0)?, std: column("std", 1.0)? })
    }
}

impl Layer for Standardise {
    fn name(&self) -> &'static str {
        "mean, std"
    }

    fn kind(&self) -> String {
        "normalisation of each channel".to_owned()
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        let [mean, std] = [&self.mean, &self.std].map(|numbers| super::as_input(numbers, input));
        Ok(input.f_sub(&mean?)?.f_div(&std?)?)
    }

    fn folded(&self, builder: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        let mean = builder.fixed("mean".to_owned(), &self.mean)?;
        let std = builder.fixed("std".to_owned(), &self.std)?;
        Ok(Box::new(Self { mean, std }))
    }

    fn standardises(&self) -> Result<bool, EngineError> {
        let is = |numbers: &Tensor, one: f64| -> Result<bool, EngineError> {
            Ok(numbers.f_eq(one)?.f_all()?.f_int64_value(&[])? != 0)
        };
        Ok(!(is(&self.mean, 0.0)? && is(&self.std, 1.0)?))
    }
}
