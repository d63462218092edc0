//! Makes the parameters of a network where it computes, with initial weights as PyTorch draws them:
//! drawn on the host, the same for every device.

use tch::{Kind, Tensor};

use crate::device::device;
use crate::error::EngineError;
use crate::layout::channels_last;
use crate::rng::{self, Purpose};

/// A named tensor of a network's state dict.
#[derive(Debug)]
pub struct Parameter {
    /// Name in the state dict, `conv1.weight`.
    pub name: String,
    /// Its value; shared with the layer that uses it.
    pub tensor: Tensor,
    /// Whether the optimiser changes it (a running mean is changed by the forward pass instead).
    pub trainable: bool,
    /// Whether a state dict must have it; else it stays as it is.
    pub needed: bool,
}

/// What tensors begin as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// As PyTorch draws them, from a seed.
    Drawn(u64),
    /// Zero, because a state dict is to follow.
    Zero,
    /// Shapes without memory behind them: such a network only says what it would have.
    Outline,
}

/// Collects parameters while an architecture is put together.
#[derive(Debug)]
pub struct Builder {
    start: Start,
    kind: Kind,
    parameters: Vec<Parameter>,
}

impl Builder {
    /// A builder that draws initial weights from `seed` and computes in `kind` (f32, or f64 for
    /// golden cases).
    #[must_use]
    pub const fn new(seed: u64, kind: Kind) -> Self {
        Self { start: Start::Drawn(seed), kind, parameters: Vec::new() }
    }

    /// A builder whose weights are zero: a state dict is to follow.
    #[must_use]
    pub const fn empty(kind: Kind) -> Self {
        Self { start: Start::Zero, kind, parameters: Vec::new() }
    }

    /// A builder of names and shapes alone, whatever the size: its tensors have no memory of their own.
    #[must_use]
    pub const fn outline() -> Self {
        Self { start: Start::Outline, kind: Kind::Float, parameters: Vec::new() }
    }

    /// From here on tensors are made in this precision.
    pub const fn set_kind(&mut self, kind: Kind) {
        self.kind = kind;
    }

    /// A trainable tensor drawn from `U(-1/sqrt(fan_in), 1/sqrt(fan_in))`, PyTorch's default for
    /// weights and biases of convolutions and linear layers.
    pub fn uniform(
        &mut self,
        name: String,
        shape: &[i64],
        fan_in: i64,
    ) -> Result<Tensor, EngineError> {
        let seed = match self.start {
            Start::Drawn(seed) => seed,
            Start::Zero => {
                let tensor = Tensor::f_zeros(shape, (self.kind, device()))?;
                return self.trainable(name, &tensor);
            }
            Start::Outline => {
                let tensor = Tensor::f_zeros([1], (self.kind, device()))?;
                return Ok(self.add(name, tensor.f_expand(shape, false)?, true));
            }
        };
        let bound = 1.0 / (fan_in as f64).sqrt();
        let mut rng = rng::stream(seed, Purpose::InitialWeights, 0, self.parameters.len() as u64);
        let values: Vec<f64> = (0..shape.iter().product::<i64>())
            .map(|_| (2.0 * rng::uniform(&mut rng) - 1.0) * bound)
            .collect();
        let tensor = Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_kind(self.kind)?;
        self.trainable(name, &tensor)
    }

    /// A trainable vector of equal values.
    pub fn filled(&mut self, name: String, len: i64, value: f64) -> Result<Tensor, EngineError> {
        let tensor = Tensor::f_full([len], value, (self.kind, device()))?;
        self.trainable(name, &tensor)
    }

    /// A vector of equal values that is part of the state but not trained.
    pub fn buffer(&mut self, name: String, len: i64, value: f64) -> Result<Tensor, EngineError> {
        let tensor = Tensor::f_full([len], value, (self.kind, device()))?;
        Ok(self.add(name, tensor, false))
    }

    /// A tensor of equal values that is part of the state where a state dict has it.
    pub fn optional(
        &mut self,
        name: &str,
        shape: &[i64],
        value: f64,
    ) -> Result<Tensor, EngineError> {
        let tensor = Tensor::f_full(shape, value, (self.kind, device()))?;
        let shared = self.add(name.to_owned(), tensor, false);
        if let Some(newest) = self.parameters.last_mut() {
            newest.needed = false;
        }
        Ok(shared)
    }

    /// A fixed copy of a tensor, in the builder's precision.
    pub fn fixed(&mut self, name: String, tensor: &Tensor) -> Result<Tensor, EngineError> {
        let tensor = tensor.f_detach()?.f_to_device(device())?;
        let copy = laid_out(&tensor)?.f_to_dtype(self.kind, false, true)?;
        Ok(self.add(name, copy, false))
    }

    /// The parameters, in the order in which they were made.
    #[must_use]
    pub fn finish(self) -> Vec<Parameter> {
        self.parameters
    }

    fn trainable(&mut self, name: String, tensor: &Tensor) -> Result<Tensor, EngineError> {
        let tensor = laid_out(tensor)?.f_to_device(device())?.f_set_requires_grad(true)?;
        Ok(self.add(name, tensor, true))
    }

    fn add(&mut self, name: String, tensor: Tensor, trainable: bool) -> Tensor {
        let shared = tensor.shallow_clone();
        self.parameters.push(Parameter { name, tensor, trainable, needed: true });
        shared
    }
}

/// The kernel of a convolution as the images are laid out, anything else as it is.
fn laid_out(tensor: &Tensor) -> Result<Tensor, EngineError> {
    match tensor.dim() {
        4 => channels_last(tensor),
        _ => Ok(tensor.shallow_clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch another distribution than PyTorch's default, such as tch's own: 4,096 draws of
    /// a uniform distribution have these extremes, this mean and this spread.
    #[test]
    fn initial_weights_follow_pytorchs_default() {
        let mut builder = Builder::new(0, Kind::Double);
        let weight = builder.uniform("w".into(), &[64, 64], 64).unwrap();
        let (bound, spread) = (1.0 / 8.0, 1.0 / 8.0 / 3.0_f64.sqrt());
        let extreme = weight.abs().max().double_value(&[]);
        assert!(extreme <= bound && extreme > 0.99 * bound, "{extreme}");
        assert!(weight.mean(None).double_value(&[]).abs() < 4.0 * spread / 64.0);
        assert!((weight.std(true).double_value(&[]) / spread - 1.0).abs() < 0.05);
    }
}
