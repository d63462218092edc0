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
mod tests {
    use super::*;
    use crate::zoo::{ARCHITECTURES, find};

    /// A network whose batch norms all do something, as after a training.
    fn trained(architecture: &Architecture, kind: Kind) -> Network {
        let network = architecture.build(3, kind).unwrap();
        let _guard = tch::no_grad_guard();
        for Parameter { name, tensor, .. } in &network.parameters {
            if let [channels] = tensor.size()[..] {
                let wave = (Tensor::arange(channels, (kind, Device::Cpu)) * 1.7).sin() * 0.4;
                let positive = name.ends_with(".weight") || name.ends_with(".running_var");
                tensor.shallow_clone().copy_(&if positive { wave + 0.9 } else { wave });
            }
        }
        network
    }

    /// Logits, and the gradient of their weighted sum with respect to the images.
    fn answers(network: &Network, shape: [i64; 4], kind: Kind) -> [Tensor; 2] {
        let n = shape.iter().product::<i64>();
        let images = (Tensor::arange(n, (kind, Device::Cpu)) * 0.739).sin().view(shape) * 2.0;
        let images = images.set_requires_grad(true);
        let logits = network.forward(&images, Mode::Eval).unwrap();
        let weights = Tensor::linspace(-1.0, 1.0, logits.size()[1], (kind, Device::Cpu));
        (&logits * weights).sum(kind).backward();
        [logits.detach(), images.grad()]
    }

    fn assert_same(one: &Network, other: &Network, shape: [i64; 4], kind: Kind, tolerance: f64) {
        for (a, b) in answers(one, shape, kind).iter().zip(answers(other, shape, kind)) {
            let apart = ((a - &b).abs().max() / b.abs().max()).double_value(&[]);
            assert!(apart <= tolerance, "{}: {apart}", one.architecture.name());
        }
    }

    /// Would catch a constant, a sign, a layer or a shortcut that folding gets wrong or forgets.
    #[test]
    fn folding_changes_nothing_but_rounding() {
        for &spec in ARCHITECTURES {
            let architecture = spec.small().unwrap();
            let network = trained(&architecture, Kind::Double);
            let folded = network.folded().unwrap();
            let [c, h, w] = architecture.input;
            assert_same(&folded, &network, [2, c, h, w], Kind::Double, 1e-10);
        }
        // Small images, so that no ReLU is as near to its kink as the rounding of f32.
        let network = trained(&find("resnet20").unwrap(), Kind::Float);
        assert_same(&network.folded().unwrap(), &network, [2, 3, 8, 8], Kind::Float, 1e-4);
    }

    /// Would catch a layer that is not counted, or at another image size than its own. By hand:
    /// kernel, channels in, channels out and pixels of the output, for every layer.
    #[test]
    fn flops_are_those_of_the_textbook_sums() {
        let stage = |width: u64, pixels| 9 * width * width * pixels;
        let resnet32 = 9 * 3 * 16 * 1024
            + 10 * stage(16, 1024)
            + (9 * 16 * 32 * 256 + 9 * stage(32, 256))
            + (9 * 32 * 64 * 64 + 9 * stage(64, 64))
            + 64 * 10;
        let wider = |from: u64, to: u64, pixels| (9 + 1) * from * to * pixels;
        let resnet18 = 9 * 3 * 64 * 1024
            + 4 * stage(64, 1024)
            + (wider(64, 128, 256) + 3 * stage(128, 256))
            + (wider(128, 256, 64) + 3 * stage(256, 64))
            + (wider(256, 512, 16) + 3 * stage(512, 16))
            + 512 * 10;
        let resnet2b =
            9 * 3 * 8 * 256 + (wider(8, 16, 64) + 3 * stage(16, 64)) + (1024 * 100 + 100 * 10);
        let wide = 9 * 3 * 16 * 1024
            + (wider(16, 32, 1024) + 3 * stage(32, 1024))
            + (wider(32, 64, 256) + 3 * stage(64, 256))
            + (wider(64, 128, 64) + 3 * stage(128, 64))
            + 128 * 10;
        // With pre-activation the convolutions are the same; those for ImageNet are torchvision's figures.
        for (id, multiply_adds) in [
            ("resnet32", resnet32),
            ("resnet18", resnet18),
            ("preactresnet18", resnet18),
            ("resnet2b", resnet2b),
            ("wideresnet-16-2", wide),
            ("dm-wideresnet-16-2", wide),
            ("resnet18-imagenet", 1_814_073_344),
            ("resnet50-imagenet", 4_089_184_256),
        ] {
            let network = find(id).unwrap().empty(Kind::Float).unwrap();
            assert_eq!(network.flops().unwrap(), 2 * multiply_adds, "{id}");
            assert_eq!(network.folded().unwrap().flops().unwrap(), 2 * multiply_adds, "{id}");
        }
    }

    /// Would catch a batch norm that stays, and parameters that training would still reach.
    #[test]
    fn a_folded_network_stands_alone() {
        let network = trained(&find("resnet20").unwrap(), Kind::Float);
        let folded = network.folded().unwrap();
        assert_eq!(folded.trainable().count(), 0);
        let before = folded.state_dict().unwrap();
        assert!(before.names().all(|name| name.contains("conv") || name.contains("linear")));
        let _guard = tch::no_grad_guard();
        for parameter in network.trainable() {
            let _ = parameter.tensor.shallow_clone().zero_();
        }
        assert_eq!(folded.state_dict().unwrap(), before);
    }

    /// Would catch a layer that stays out of bf16, one that should stay out and does not, and a
    /// rounding that is more than bf16's: the logits are near, and not the same.
    #[test]
    fn bf16_inside_is_near_and_f32_outside() {
        for (id, side) in [
            ("resnet20", 8),
            ("preactresnet18", 8),
            ("resnet2b", 32),
            ("resnet50:width=8", 16),
            ("wideresnet-10-2:activation=silu", 16),
        ] {
            let network = trained(&find(id).unwrap(), Kind::Float);
            let half = network.half().unwrap();
            let kinds = |name: &str| {
                let of = |p: &&Parameter| p.name.starts_with(name);
                half.parameters.iter().find(of).map(|parameter| parameter.tensor.kind())
            };
            let inner = half.parameters[2].tensor.kind();
            assert_eq!((half.parameters[0].tensor.kind(), inner), (Kind::Float, Kind::BFloat16));
            let last = half.parameters.last().unwrap();
            assert_eq!(kinds(&last.name), Some(Kind::Float), "{id}");
            let [logits, gradient] = answers(&network, [2, 3, side, side], Kind::Float);
            let [near, _] = answers(&half, [2, 3, side, side], Kind::Float);
            let apart = ((&near - &logits).abs().max() / logits.abs().max()).double_value(&[]);
            assert!(apart > 1e-6 && apart < 0.05, "{id}: {apart}");
            assert_eq!((near.kind(), gradient.kind()), (Kind::Float, Kind::Float), "{id}");
        }
    }

    /// Would catch pixels that are rounded to bf16 because a layer without weights comes before the first
    /// convolution.
    #[test]
    fn what_prepares_pixels_stays_outside() {
        for id in ["dm-wideresnet-10-1", "cnn-4layer-b:width=8"] {
            let half = trained(&find(id).unwrap(), Kind::Float).half().unwrap();
            let first = half.parameters.iter().find(|p| p.tensor.dim() == 4).unwrap();
            assert_eq!(first.tensor.kind(), Kind::Float, "{id}");
            let inner = half.parameters.iter().filter(|p| p.tensor.kind() == Kind::BFloat16);
            assert!(inner.count() > 2, "{id}");
            let images = Tensor::full([1, 3, 32, 32], 0.503, (Kind::Float, Device::Cpu));
            let prepared = half.layers[0].forward(&images, Mode::Eval).unwrap();
            assert_eq!(prepared.kind(), Kind::Float, "{id}");
        }
    }

    /// Would catch a mean and a standard deviation of a state dict that are not used, or are missed where
    /// a file has none.
    #[test]
    fn a_network_may_normalise_by_itself() {
        let network = trained(&find("dm-preactresnet18:width=8").unwrap(), Kind::Double);
        let mut state = network.state_dict().unwrap();
        assert!(!network.standardises().unwrap());
        state.entries.retain(|(name, _)| name != "mean" && name != "std");
        network.load_state_dict(&state).unwrap();
        let column = |value| Array::new(vec![3, 1, 1], ArrayData::F64(vec![value; 3])).unwrap();
        state.entries.extend([("mean".to_owned(), column(0.5)), ("std".to_owned(), column(0.25))]);
        let other = network.architecture().empty(Kind::Double).unwrap();
        other.load_state_dict(&state).unwrap();
        assert!(other.standardises().unwrap() && other.folded().unwrap().standardises().unwrap());
        let images = (Tensor::arange(3 * 256, (Kind::Double, Device::Cpu)) * 0.739).sin();
        let images = images.view([1, 3, 16, 16]);
        let logits =
            |network: &Network, images: &Tensor| network.forward(images, Mode::Eval).unwrap();
        let expected = logits(&network, &((&images - 0.5) / 0.25));
        let apart = (logits(&other, &images) - &expected).abs().max().double_value(&[]);
        assert!(apart < 1e-9 * expected.abs().max().double_value(&[]), "{apart}");
    }

    /// Would catch an error that leaves a user alone with a wrong --arch.
    #[test]
    fn a_misfit_names_what_fits() {
        let state = find("resnet32").unwrap().empty(Kind::Float).unwrap().state_dict().unwrap();
        let network = find("resnet20").unwrap().empty(Kind::Float).unwrap();
        let error = network.load_state_dict(&state).unwrap_err().to_string();
        for words in ["do not fit resnet20", "has no place", "more", "they fit resnet32", "inspect"]
        {
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    /// Would catch weights that are trained in bf16: they and their gradients stay f32, and the
    /// gradients are those of f32 up to bf16's rounding.
    #[test]
    fn training_in_bf16_keeps_its_weights_in_f32() {
        let gradients = |network: &Network| -> Vec<Tensor> {
            network.set_trainable(Trainable::Yes).unwrap();
            let images =
                (Tensor::arange(4 * 3 * 32 * 32, (Kind::Float, Device::Cpu)) * 0.739).sin();
            let images = images.view([4, 3, 32, 32]);
            let labels = Tensor::from_slice(&[1_i64, 5, 0, 9]);
            let logits = network.forward(&images, Mode::Train).unwrap();
            logits.cross_entropy_for_logits(&labels).backward();
            network.trainable().map(|parameter| parameter.tensor.grad()).collect()
        };
        for id in ["resnet20", "resilience-cnn"] {
            let network = find(id).unwrap().build(1, Kind::Float).unwrap();
            let half = find(id).unwrap().build(1, Kind::Float).unwrap().with_inner_bf16();
            for (one, other) in gradients(&network).iter().zip(gradients(&half)) {
                assert_eq!(other.kind(), Kind::Float);
                let same = (one * &other).sum(Kind::Double).double_value(&[]);
                let lengths = one.norm().double_value(&[]) * other.norm().double_value(&[]);
                // Over so few images batch norm passes rounding on enlarged.
                assert!(same > 0.8 * lengths, "{id}: {same} {lengths}");
            }
        }
    }
}
