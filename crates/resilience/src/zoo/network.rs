//! A network: its layers in order and the state dict that they share.

use resilience_core::format::array::{Array, ArrayData, StateDict};
use resilience_core::record::LayerRecord;
use tch::{Device, Kind, Tensor};

use super::{Architecture, Fit, likely};
use crate::error::EngineError;
#[cfg(target_arch = "x86_64")]
use crate::kernel::Program;
use crate::layer::{Builder, Layer, Layers, Mode, Parameter};

/// Layers applied one after the other, and their parameters by name.
pub struct Network {
    architecture: Architecture,
    layers: Layers,
    parameters: Vec<Parameter>,
    inner: Kind,
}

impl Network {
    pub(super) fn new(
        architecture: Architecture,
        layers: Layers,
        parameters: Vec<Parameter>,
    ) -> Self {
        let inner = kind_of(&parameters);
        Self { architecture, layers, parameters, inner }
    }

    /// The same network, whose values between its first and its last layer are in bf16; its
    /// parameters stay as they are, and are rounded on the way.
    #[must_use]
    pub fn with_inner_bf16(self) -> Self {
        Self { inner: Kind::BFloat16, ..self }
    }

    /// Whether the values between its first and its last layer are in bf16.
    #[must_use]
    pub fn is_inner_bf16(&self) -> bool {
        self.inner == Kind::BFloat16
    }

    /// What it was built from.
    #[must_use]
    pub const fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// Normalised images `[n,c,h,w]` -> logits `[n,k]`, where the images are: they go to the network's
    /// device and the logits come back.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, EngineError> {
        let mut value = images.f_to_device(self.device())?;
        let [first, last] = self.outer();
        for (place, layer) in self.layers.iter().enumerate() {
            let inside = place > first && place < last;
            let kind = if inside { self.inner } else { self.kind() };
            value = layer.forward(&value.f_to_kind(kind)?, mode)?;
        }
        Ok(value.f_to_device(images.device())?)
    }

    /// The places of the first and of the last layer with weights; what stands before the first one only
    /// prepares pixels.
    fn outer(&self) -> [usize; 2] {
        let first = self.layers.iter().position(|layer| layer.parameters() > 0);
        [first.unwrap_or(0), self.layers.len().saturating_sub(1)]
    }

    /// Whether it normalises pixels itself, by what its state dict says.
    pub fn standardises(&self) -> Result<bool, EngineError> {
        self.layers.first().map_or(Ok(false), |layer| layer.standardises())
    }

    /// The same network for evaluation alone, and faster: each batch norm is part of the
    /// convolution before it, where there is one. Its parameters are copies of what they are now and cannot be
    /// trained; its logits and gradients are the same but for rounding, so that what it finds is
    /// to be judged by the network itself.
    pub fn folded(&self) -> Result<Self, EngineError> {
        let mut builder = Builder::new(0, self.kind());
        let layers: Result<Layers, _> =
            self.layers.iter().map(|layer| layer.folded(&mut builder)).collect();
        Ok(Self::new(self.architecture.clone(), layers?, builder.finish()))
    }

    /// The same, with weights and values in bf16 between its first and its last layer, which stay
    /// as they are.
    pub fn half(&self) -> Result<Self, EngineError> {
        let (mut builder, kind) = (Builder::new(0, self.kind()), self.kind());
        let [first, last] = self.outer();
        let mut layers: Layers = Vec::with_capacity(self.layers.len());
        for (place, layer) in self.layers.iter().enumerate() {
            let inside = place > first && place < last;
            builder.set_kind(if inside { Kind::BFloat16 } else { kind });
            layers.push(layer.folded(&mut builder)?);
        }
        let network = Self::new(self.architecture.clone(), layers, builder.finish());
        Ok(network.with_inner_bf16())
    }

    /// The same network in our own kernels, for normalised pixels: folded, or as it is where it has no
    /// batch norm. None where there is no kernel for a layer, or for the device.
    #[cfg(target_arch = "x86_64")]
    pub fn lowered(&self) -> Result<Option<Program>, EngineError> {
        if self.device() != Device::Cpu {
            return Ok(None);
        }
        let mut program = Program::new(self.architecture.input.map(|side| side as usize));
        for layer in &self.layers {
            if !layer.lower(&mut program)? {
                return Ok(None);
            }
        }
        Ok(Some(program))
    }

    /// Whether it computes in this precision throughout.
    #[must_use]
    pub fn computes_in(&self, kind: Kind) -> bool {
        [self.kind(), self.inner] == [kind; 2]
    }

    /// Where its parameters are.
    pub(crate) fn device(&self) -> Device {
        self.parameters.first().map_or(Device::Cpu, |parameter| parameter.tensor.device())
    }

    /// What its parameters are in.
    pub(crate) fn kind(&self) -> Kind {
        kind_of(&self.parameters)
    }

    /// All tensors of the state dict, in its order.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter()
    }

    /// The tensors that an optimiser changes, in the order of the state dict.
    pub fn trainable(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.trainable)
    }

    /// Number of trainable parameters.
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        self.layers.iter().map(|layer| layer.parameters()).sum()
    }

    /// The layers with the shapes that they really give, found by passing one blank image.
    pub fn describe(&self) -> Result<Vec<LayerRecord>, EngineError> {
        let record = |(layer, output): (&dyn Layer, Vec<u64>)| LayerRecord {
            name: layer.name().to_owned(),
            kind: layer.kind(),
            output,
            parameters: layer.parameters(),
        };
        Ok(self.layers.iter().map(AsRef::as_ref).zip(self.outputs()?).map(record).collect())
    }

    /// Floating-point operations of a forward pass of one image: two for each multiplication that
    /// convolutions and fully connected layers add up, as their textbook sums say.
    pub fn flops(&self) -> Result<u64, EngineError> {
        let [_, h, w] = self.architecture.input;
        let (mut from, mut sum) = ((h * w) as u64, 0);
        for (layer, output) in self.layers.iter().zip(self.outputs()?) {
            let to = output[1..].iter().product();
            sum += layer.multiply_adds(from, to);
            from = to;
        }
        Ok(2 * sum)
    }

    /// The shape that each layer gives for one image.
    fn outputs(&self) -> Result<Vec<Vec<u64>>, EngineError> {
        let [c, h, w] = self.architecture.input;
        let mut value = Tensor::f_zeros([1, c, h, w], (self.kind(), self.device()))?;
        let _guard = tch::no_grad_guard();
        let mut outputs = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            value = layer.forward(&value, Mode::Eval)?;
            outputs.push(value.size()[1..].iter().map(|&side| side as u64).collect());
        }
        Ok(outputs)
    }

    /// Whether weight gradients are computed: they are for training, and are not while attacking.
    pub fn set_trainable(&self, trainable: Trainable) -> Result<(), EngineError> {
        for parameter in self.trainable() {
            let _ = parameter.tensor.f_set_requires_grad(trainable == Trainable::Yes)?;
        }
        Ok(())
    }

    /// The name of a parameter or buffer that holds NaN or infinity.
    pub fn not_finite(&self) -> Result<Option<&str>, EngineError> {
        for parameter in &self.parameters {
            let finite = parameter.tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0;
            if !finite {
                return Ok(Some(&parameter.name));
            }
        }
        Ok(None)
    }

    /// The values of all parameters and buffers, by name.
    pub fn state_dict(&self) -> Result<StateDict, EngineError> {
        self.parameters
            .iter()
            .map(|parameter| Ok((parameter.name.clone(), to_array(&parameter.tensor)?)))
            .collect()
    }

    /// Takes its values from a state dict. Every tensor must be there, with its shape, and finite;
    /// what an architecture has where a state dict has it may be missing, `num_batches_tracked` and what
    /// is known to compute nothing are passed over, any other tensor left over is an error.
    pub fn load_state_dict(&self, state: &StateDict) -> Result<(), EngineError> {
        self.check_fit(state)?;
        let _guard = tch::no_grad_guard();
        for parameter in &self.parameters {
            let name = &parameter.name;
            let Some(array) = state.get(name) else { continue };
            let values = array.to_f64();
            if !values.iter().all(|value| value.is_finite()) {
                return Err(EngineError::WeightNotFinite { name: name.clone() });
            }
            let values = Tensor::f_from_slice(&values)?.f_reshape(parameter.tensor.size())?;
            parameter.tensor.shallow_clone().f_copy_(&values)?;
        }
        Ok(())
    }

    fn check_fit(&self, state: &StateDict) -> Result<(), EngineError> {
        let fit = Fit::between(&self.architecture, self.parameters.iter(), state);
        if fit.is_exact() {
            return Ok(());
        }
        Err(EngineError::Weights {
            architecture: self.architecture.name(),
            problems: fit.problems(),
            best: best_instead(&fit, &likely(state)),
        })
    }
}

/// What other architecture a state dict that does not fit is rather of, in words; empty where it is of
/// none.
fn best_instead(fit: &Fit, likely: &[Fit]) -> String {
    let Some(best) = likely.first().filter(|best| best.share() > fit.share()) else {
        return String::new();
    };
    let name = best.architecture.name();
    if best.is_exact() {
        return format!("; they fit {name}");
    }
    let (fitting, all) = (best.fitting, best.tensors());
    format!("; the nearest architecture is {name}, which {fitting} of {all} tensors fit")
}

fn kind_of(parameters: &[Parameter]) -> Kind {
    parameters.first().map_or(Kind::Float, |parameter| parameter.tensor.kind())
}

/// Whether weight gradients are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trainable {
    /// They are.
    Yes,
    /// They are not; only gradients with respect to the input can be had.
    No,
}

/// The values of a tensor, row by row, in its own precision.
pub(crate) fn to_array(tensor: &Tensor) -> Result<Array, EngineError> {
    let shape = tensor.size().iter().map(|&side| side as usize).collect();
    let flat = tensor.f_detach()?.f_contiguous()?.f_view([-1])?;
    let data = match tensor.kind() {
        Kind::Double => ArrayData::F64(Vec::try_from(flat)?),
        _ => ArrayData::F32(Vec::try_from(flat.f_to_kind(Kind::Float)?)?),
    };
    Array::new(shape, data).ok_or_else(|| EngineError::Input {
        what: "tensor",
        expected: "as many numbers as its shape holds".to_owned(),
        found: format!("{:?}", tensor.size()),
    })
}

#[cfg(test)]
mod tests;
