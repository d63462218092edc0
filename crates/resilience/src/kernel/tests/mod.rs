//! The kernels against libtorch in f64, and the laws that they keep.
//!
//! A test of numbers returns at once where the machine lacks the instructions
//! ([`super::available`]): there is nothing to test there, and libtorch is what is used.

mod architectures;
mod company;
mod geometry;
mod not_finite;
mod order;
mod refused;
mod training;

use tch::{Kind, Tensor};

use super::{Gradient, Program, Team, Trainer};
use crate::layer::{Builder, Conv, Layer, Layers, Linear, Mode, Parameter, Window};
use crate::rng::{self, Purpose};

/// Layers in f64, of which the kernels get what evaluation leaves of them.
struct Case {
    input: [i64; 3],
    layers: Layers,
    parameters: Vec<Parameter>,
}

impl Case {
    /// Layers for images of this shape: channels, height, width. Their batch norms do something.
    fn new(input: [i64; 3], make: impl FnOnce(&mut Builder) -> Layers) -> Self {
        let mut builder = Builder::new(5, Kind::Double);
        let layers = make(&mut builder);
        let parameters = builder.finish();
        let _guard = tch::no_grad_guard();
        for Parameter { name, tensor, .. } in &parameters {
            let _ = tensor.shallow_clone().set_requires_grad(false);
            if tensor.dim() == 1 {
                let values = worked(name, tensor.size()[0] as usize);
                tensor.shallow_clone().copy_(&Tensor::from_slice(&values));
            }
        }
        Self { input, layers, parameters }
    }

    /// None where there is no kernel for a layer.
    fn program(&self) -> Option<Program> {
        let mut program = Program::new(self.input.map(|side| side as usize));
        let mut builder = Builder::new(0, Kind::Double);
        for layer in &self.layers {
            if !layer.folded(&mut builder).unwrap().lower(&mut program).unwrap() {
                return None;
            }
        }
        Some(program)
    }

    /// None where there is no kernel for a layer, or no way back.
    fn team(&self, threads: u32) -> Option<Team> {
        Team::new(self.program()?, threads)
    }

    /// The layers as they are. None where one has a batch norm.
    fn lowered(&self) -> Option<Program> {
        let mut program = Program::new(self.input.map(|side| side as usize));
        let lowered = self.layers.iter().all(|layer| layer.lower(&mut program).unwrap());
        lowered.then_some(program)
    }

    fn trainer(&self, threads: u32) -> Option<Trainer> {
        Trainer::new(self.lowered()?, threads)
    }

    /// The gradients of the same sum as in [`Case::answers`] with respect to the parameters, by
    /// libtorch in f64; their names are those of the state dict.
    fn gradients(
        &self,
        images: &Tensor,
        weights: &dyn Fn(&Tensor) -> Tensor,
    ) -> Vec<(String, Tensor)> {
        let tensors = || self.parameters.iter().map(|parameter| parameter.tensor.shallow_clone());
        let _: Vec<_> = tensors().map(|tensor| tensor.set_requires_grad(true)).collect();
        let logits = self.logits(images);
        let total = (&logits * weights(&logits)).sum(Kind::Double);
        let tensors: Vec<_> = tensors().collect();
        let found = Tensor::run_backward(&[total], &tensors, false, false);
        let _: Vec<_> =
            tensors.iter().map(|tensor| tensor.shallow_clone().set_requires_grad(false)).collect();
        self.parameters.iter().map(|parameter| parameter.name.clone()).zip(found).collect()
    }

    /// So many random images, `[n,c,h,w]` in f64, of numbers that f32 holds exactly.
    fn images(&self, n: i64) -> Tensor {
        let [c, h, w] = self.input;
        random(7, &[n, c, h, w])
    }

    /// Logits by libtorch, in f64.
    fn logits(&self, images: &Tensor) -> Tensor {
        let layers = self.layers.iter();
        layers
            .fold(images.shallow_clone(), |value, layer| layer.forward(&value, Mode::Eval).unwrap())
    }

    /// Logits by libtorch and the gradient of their sum with these weights, in f64.
    fn answers(&self, images: &Tensor, weights: &dyn Fn(&Tensor) -> Tensor) -> [Tensor; 2] {
        let images = images.copy().set_requires_grad(true);
        let logits = self.logits(&images);
        (&logits * weights(&logits)).sum(Kind::Double).backward();
        [logits.detach(), images.grad()]
    }
}

/// The same by the kernels, in f32.
fn answers(
    team: &Team,
    images: &Tensor,
    classes: usize,
    weights: &dyn Fn(&Tensor) -> Tensor,
) -> [Tensor; 2] {
    let (logits, run) = team.run(&pixels(images), classes);
    let shape = [-1, classes as i64];
    let logits = Tensor::from_slice(&logits).view(shape);
    let gradient = team.gradient(&run, &flat(&weights(&logits)), classes);
    let size = images.size();
    let gradient = Tensor::from_slice(&gradient).view([size[0], size[2], size[3], size[1]]);
    [logits, gradient.permute([0, 3, 1, 2])]
}

/// Logits, the gradient of the pixels and those of the parameters of some images.
fn lessons(
    trainer: &Trainer,
    images: &Tensor,
    classes: usize,
    weights: &dyn Fn(&Tensor) -> Tensor,
) -> ([Tensor; 2], Vec<(String, Vec<f32>)>) {
    let (logits, lap) = trainer.forward(&pixels(images), classes);
    let logits = Tensor::from_slice(&logits).view([-1, classes as i64]);
    let gradient = trainer.backward(lap, &flat(&weights(&logits)), classes, true).unwrap();
    let size = images.size();
    let gradient = Tensor::from_slice(&gradient).view([size[0], size[2], size[3], size[1]]);
    let named = |gradient: Gradient| {
        let Gradient { name, weight, bias } = gradient;
        [(format!("{name}.weight"), weight), (format!("{name}.bias"), bias)]
    };
    let parameters = trainer.take_gradients().into_iter().flat_map(named).collect();
    ([logits, gradient.permute([0, 3, 1, 2])], parameters)
}

/// Weights of the logits `[n,k]`, which differ from logit to logit and from row to row.
fn weights(logits: &Tensor) -> Tensor {
    random(11, &logits.size())
}

/// Images in the order in which the kernels take them.
fn pixels(images: &Tensor) -> Vec<f32> {
    flat(&images.permute([0, 2, 3, 1]))
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.to_kind(Kind::Float).contiguous().view([-1])).unwrap()
}

/// Numbers in [-1, 1), the same on every machine. A longer batch begins as a shorter one does.
fn random(seed: u64, shape: &[i64]) -> Tensor {
    let mut numbers = vec![0.0; shape.iter().product::<i64>() as usize];
    rng::fill_uniform(&mut rng::stream(seed, Purpose::Draw, 0, 0), &mut numbers);
    Tensor::from_slice(&numbers).to_kind(Kind::Double).view(shape)
}

/// Numbers for a bias or a part of a batch norm, as after a training: none of them does nothing.
fn worked(name: &str, len: usize) -> Vec<f64> {
    let positive = name.ends_with(".weight") || name.ends_with(".running_var");
    let middle = if positive { 0.9 } else { 0.0 };
    (0..len).map(|number| middle + 0.4 * (1.7 * number as f64).sin()).collect()
}

/// The largest difference in each row, in parts of the row's largest number.
fn errors(found: &Tensor, expected: &Tensor) -> Vec<f64> {
    let largest = |tensor: Tensor| tensor.flatten(1, -1).abs().amax([1_i64].as_slice(), false);
    let apart = largest(found.to_kind(Kind::Double) - expected);
    Vec::try_from(apart / largest(expected.shallow_clone()).clamp_min(1e-30)).unwrap()
}

/// Whether an image `[1,c,h,w]` lies so near to a kink that f32 may rightly take the other side. The
/// networks are linear between their kinks, so that moving the pixels by about the rounding of f32
/// leaves the gradient as it is in f64, unless a kink lies on the way.
fn near_kink(image: &Tensor, gradient: &dyn Fn(&Tensor) -> Tensor) -> bool {
    let here = gradient(image);
    (30..46).any(|seed| {
        let there = gradient(&(image + random(seed, &image.size()) * 3e-6));
        errors(&there, &here)[0] > 1e-9
    })
}

/// Logits and gradients of three images against libtorch in f64. Measured over all cases: they differ
/// by at most 3.6e-6 of a row's largest number, and no row lay near a kink.
fn assert_right(case: &Case, images: &Tensor, what: &str) {
    let classes = case.logits(images).size()[1] as usize;
    let team = case.team(1).unwrap_or_else(|| panic!("no kernels for {what}"));
    let expected = case.answers(images, &weights);
    let found = answers(&team, images, classes, &weights);
    let gradient = |images: &Tensor| case.answers(images, &weights)[1].shallow_clone();
    let apart = [0, 1].map(|which| errors(&found[which], &expected[which]));
    for (row, (logits, apart)) in (0..).zip(apart[0].iter().zip(&apart[1])) {
        assert!(*logits < 5e-6, "{what}: logits of image {row} differ by {logits}");
        let right = *apart < 5e-6 || near_kink(&images.narrow(0, row, 1), &gradient);
        assert!(right, "{what}: the gradient of image {row} differs by {apart}");
    }
}

fn conv(builder: &mut Builder, name: &str, channels: [i64; 2], window: Window) -> Box<dyn Layer> {
    Box::new(Conv::with_bias(builder, name, channels, window).unwrap())
}

fn linear(builder: &mut Builder, name: &str, sizes: [i64; 2]) -> Box<dyn Layer> {
    Box::new(Linear::new(builder, name, sizes).unwrap())
}

/// Whether two tensors hold the same bits.
fn assert_same_bits(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let differs = found.iter().zip(expected).position(|(a, b)| a.to_bits() != b.to_bits());
    assert_eq!(differs, None, "{what}");
}
