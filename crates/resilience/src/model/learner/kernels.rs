//! Learning in our own kernels.

use tch::{Kind, Tensor};

use super::Native;
use crate::error::EngineError;
use crate::host::Pixels;
use crate::kernel::{Lap, Program, Trainer};
use crate::threads::Threads;

/// The kernels of a network whose weights change.
pub struct Kernels {
    trainer: Trainer,
    classes: usize,
    /// libtorch's threads would wait by spinning, where ours are to compute.
    _threads: Threads,
}

impl Kernels {
    /// None where there is no kernel for a layer, or not in this precision or on this machine.
    pub fn new(model: &Native) -> Result<Option<Self>, EngineError> {
        if !model.network().computes_in(Kind::Float) {
            return Ok(None);
        }
        let Some(program) = program(model)? else { return Ok(None) };
        let Some(trainer) = Trainer::new(program, crate::threads()) else { return Ok(None) };
        for parameter in model.network().trainable() {
            if !parameter.tensor.f_grad()?.defined() {
                // libtorch makes room for a gradient when it computes one.
                let nothing = parameter.tensor.f_sum(Kind::Float)?.f_mul_scalar(0.0)?;
                nothing.f_backward()?;
            }
        }
        let classes = model.network().architecture().classes as usize;
        Ok(Some(Self { trainer, classes, _threads: Threads::one() }))
    }

    /// Takes the weights as they are now.
    pub fn renew(&mut self, model: &Native) -> Result<(), EngineError> {
        let program = program(model)?;
        if program.is_some_and(|program| self.trainer.set(program)) {
            return Ok(());
        }
        Err(EngineError::Input {
            what: "network that is learning",
            expected: "layers that have kernels, as when it began".to_owned(),
            found: "other ones".to_owned(),
        })
    }

    /// Forgets gradients that were not handed over.
    pub fn forget(&mut self) {
        self.trainer.forget();
    }

    /// Logits `[n,k]` of images `[n,c,h,w]`, as a leaf that requires a gradient.
    pub fn pass(&self, model: &Native, images: &Tensor) -> Result<(Tensor, Lap), EngineError> {
        let shape = model.network().architecture().input;
        let (numbers, lap) =
            self.trainer.forward(&model.input().pixels(images, shape)?, self.classes);
        let logits = Tensor::f_from_slice(&numbers)?.f_view([-1, self.classes as i64])?;
        Ok((logits.f_set_requires_grad(true)?, lap))
    }

    /// Takes up the gradient of the weights, from that of the logits `[n,k]`; gives that of the
    /// images where they are `wanted`, like these.
    pub fn backward(
        &self,
        lap: Lap,
        gradient: &Tensor,
        wanted: Option<&Tensor>,
    ) -> Result<Option<Tensor>, EngineError> {
        let flat = Vec::<f32>::try_from(gradient.f_contiguous()?.f_view([-1])?)?;
        let found = self.trainer.backward(lap, &flat, self.classes, wanted.is_some());
        found.zip(wanted).map(|(pixels, like)| Pixels::<f32>::tensor(&pixels, like)).transpose()
    }

    /// Adds the gradients that have come together to those of the network's parameters.
    pub fn add_to_parameters(&self, model: &Native) -> Result<(), EngineError> {
        let _guard = tch::no_grad_guard();
        for gradient in self.trainer.take_gradients() {
            for (ending, numbers) in [("weight", &gradient.weight), ("bias", &gradient.bias)] {
                let name = format!("{}.{ending}", gradient.name);
                let found = model.network().trainable().find(|parameter| parameter.name == name);
                let Some(parameter) = found else {
                    return Err(EngineError::Input {
                        what: "network that is learning",
                        expected: format!("a parameter {name}, of which there is a gradient"),
                        found: "none that is trained".to_owned(),
                    });
                };
                let numbers =
                    Tensor::f_from_slice(numbers)?.f_view(parameter.tensor.size().as_slice())?;
                let _ = parameter.tensor.f_grad()?.f_add_(&numbers)?;
            }
        }
        Ok(())
    }
}

/// The network as it is now.
fn program(model: &Native) -> Result<Option<Program>, EngineError> {
    let Some(program) = model.network().lowered()? else { return Ok(None) };
    model.input().normalising(program).map(Some)
}
