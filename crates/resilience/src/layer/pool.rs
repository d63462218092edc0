//! Layers without parameters.

use tch::Tensor;

use super::{Builder, Layer, Mode};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;

/// ReLU, then 2x2 max pooling.
///
/// Computed the other way round: the two commute, gradient included (where the maximum is not
/// positive both orders give a zero gradient, and elsewhere both send it to the first maximum),
/// and ReLU then touches a quarter of the pixels.
#[derive(Debug)]
pub struct ReluMaxPool;

impl Layer for ReluMaxPool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn kind(&self) -> String {
        "ReLU, max pool 2x2".to_owned()
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        Ok(input.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?.f_relu()?)
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        Ok(program.relu_max_pool().is_some())
    }

    fn folded(&self, _: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(Self))
    }
}

/// max(x, 0).
#[derive(Debug)]
pub struct Relu;

impl Layer for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn kind(&self) -> String {
        "ReLU".to_owned()
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        Ok(input.f_relu()?)
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        Ok(program.relu().is_some())
    }

    fn folded(&self, _: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(Self))
    }
}

/// `[n,c,h,w]` -> `[n, c h w]`, channel by channel.
#[derive(Debug)]
pub struct Flatten;

impl Layer for Flatten {
    fn name(&self) -> &'static str {
        "flatten"
    }

    fn kind(&self) -> String {
        "flatten".to_owned()
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        Ok(input.f_flatten(1, -1)?)
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        Ok(program.flatten().is_some())
    }

    fn folded(&self, _: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(Self))
    }
}

/// The mean over all pixels: `[n,c,h,w]` -> `[n,c]`.
#[derive(Debug)]
pub struct GlobalAveragePool;

impl Layer for GlobalAveragePool {
    fn name(&self) -> &'static str {
        "pool"
    }

    fn kind(&self) -> String {
        "global average pool".to_owned()
    }

    fn forward(&self, input: &Tensor, _: Mode) -> Result<Tensor, EngineError> {
        Ok(input.f_mean_dim([2_i64, 3].as_slice(), false, None)?)
    }

    #[cfg(target_arch = "x86_64")]
    fn lower(&self, program: &mut Program) -> Result<bool, EngineError> {
        Ok(program.average().is_some())
    }

    fn folded(&self, _: &mut Builder) -> Result<Box<dyn Layer>, EngineError> {
        Ok(Box::new(Self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    /// Would catch an exchange of ReLU and pooling that changes a value or a gradient.
    #[test]
    fn relu_and_max_pool_commute_with_their_gradients() {
        let values =
            Tensor::arange(3 * 5 * 8 * 8, (Kind::Double, Device::Cpu)).sin().view([3, 5, 8, 8]);
        // Equal neighbours, as in a black border: the gradient must go to the same one.
        let _ = values.narrow(2, 0, 4).clamp_(-0.3, 0.3);
        let gradient_of = |output: &dyn Fn(&Tensor) -> Tensor| {
            let input = values.copy().set_requires_grad(true);
            let output = output(&input);
            let weights = Tensor::linspace(-1.0, 1.0, 3 * 5 * 4 * 4, (Kind::Double, Device::Cpu));
            (output.flatten(0, -1) * weights).sum(Kind::Double).backward();
            (output.detach(), input.grad())
        };
        let ours = gradient_of(&|x| ReluMaxPool.forward(x, Mode::Eval).unwrap());
        let textbook = gradient_of(&|x| x.relu().max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false));
        assert_eq!(ours, textbook);
    }
}
