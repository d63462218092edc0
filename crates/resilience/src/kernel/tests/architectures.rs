//! Every architecture of the registry, as attacks see it.

use resilience_core::format::array::{Array, ArrayData, StateDict};
use resilience_core::view::View;
use tch::{Kind, Tensor};

use super::{errors, near_kink, random, worked};
use crate::kernel::available;
use crate::model::{Classifier, Compiled, Differentiable, Graph, Native, Normalise};
use crate::zoo::{ARCHITECTURES, Architecture, Trainable, find};

// Numbers that f32 and f64 hold alike.
const MEAN: [f64; 3] = [0.5, 0.375, 0.4375];
const STD: [f64; 3] = [0.25, 0.1875, 0.3125];

/// SiLU, a margin that is not the same on all sides, a 7x7 window and overlapping pools have no kernels.
const WITHOUT_KERNELS: [&str; 7] = [
    "dm-wideresnet",
    "dm-preactresnet18",
    "dm-preactresnet34",
    "resnet18-imagenet",
    "resnet34-imagenet",
    "resnet50-imagenet",
    "cnn-4layer-b",
];

/// Weights whose batch norms all do something, as after a training.
fn trained(architecture: &Architecture) -> StateDict {
    let mut state = architecture.build(3, Kind::Float).unwrap().state_dict().unwrap();
    for (name, array) in &mut state.entries {
        if let &[len] = array.shape() {
            let values = worked(name, len).into_iter().map(|value| value as f32).collect();
            *array = Array::new(vec![len], ArrayData::F32(values)).unwrap();
        }
    }
    state
}

/// The network itself, in f64.
fn wide(architecture: &Architecture, state: &StateDict) -> Native {
    let network = architecture.build(0, Kind::Double).unwrap();
    network.load_state_dict(state).unwrap();
    network.set_trainable(Trainable::No).unwrap();
    Native::new(network, Normalise::new(&MEAN, &STD, Kind::Double).unwrap())
}

/// Objectives that one pass is differentiated by, in this order.
fn objectives(logits: &Tensor) -> [Tensor; 2] {
    let weights = random(13, &logits.size()).to_kind(logits.kind());
    let margin = logits.select(1, 3) - logits.select(1, 5);
    [(logits.softmax(1, logits.kind()) * weights).sum_dim_intlist(1, false, None), margin]
}

/// Logits and a gradient for each objective, of one pass.
fn answers(model: &dyn Differentiable, images: &Tensor) -> [Tensor; 3] {
    let pass = model.pass(images).unwrap();
    let [first, second] = objectives(&pass.logits);
    let first = pass.gradient(&first, Graph::Keep).unwrap();
    let second = pass.gradient(&second, Graph::Free).unwrap();
    [pass.logits.detach(), first, second]
}

/// Would catch a network that is lowered wrongly, a constant of its normalisation that is left out
/// or applied twice, and a gradient that the one before it on the same pass has spoilt.
#[test]
fn every_architecture_is_computed_as_by_libtorch_in_f64() {
    // Unoptimised, the large ones take a second an image.
    for &spec in ARCHITECTURES {
        let large = ["resnet44", "resnet56", "resnet110", "resnet18", "preactresnet18"];
        assert_right(&spec.small().unwrap(), if large.contains(&spec.id) { 1 } else { 2 });
    }
}

/// Would catch the same as the test above on more images.
#[test]
#[ignore = "slow"]
fn every_architecture_is_right_on_many_images() {
    for &spec in ARCHITECTURES {
        assert_right(&spec.small().unwrap(), 16);
    }
}

/// Measured on sixteen images: logits differ by at most 8.2e-6 of what the image makes of them,
/// gradients by at most 3.6e-6 of the largest number, but for seven of the 160 rows, which lie near
/// a kink; where a network is deep and narrow, by no more than four times what libtorch's f32 does.
fn assert_right(architecture: &Architecture, n: i64) {
    if !available() {
        return;
    }
    let (name, state) = (architecture.name(), trained(architecture));
    let native = Native::load(&name, &state, MEAN, STD).unwrap();
    let without = WITHOUT_KERNELS.contains(&architecture.spec().id);
    let Some(compiled) = Compiled::new(&native).unwrap() else {
        assert!(without, "{name} has no kernels for every layer");
        return;
    };
    assert!(!without, "{name} has kernels for every layer");
    let reference = wide(architecture, &state);
    let [c, h, w] = architecture.input;
    let images = (random(17, &[n, c, h, w]) + 1.0) * 0.5;
    let found = answers(&compiled, &images.to_kind(Kind::Float));
    let expected = answers(&reference, &images);
    // Deep networks enlarge rounding, libtorch's in f32 as well as ours.
    let rounded = answers(&native, &images.to_kind(Kind::Float));

    // The larger part of a logit is the same for every image; what counts is the rest.
    let blank = reference.logits(&(images.zeros_like() + 0.5)).unwrap();
    let apart = errors(&(&found[0] - &blank), &(&expected[0] - &blank));
    let theirs = errors(&(&rounded[0] - &blank), &(&expected[0] - &blank));
    let right = |(&apart, &theirs): (&f64, &f64)| apart < 1e-5 || apart < 4.0 * theirs;
    assert!(apart.iter().zip(&theirs).all(right), "{name}: {apart:?}, libtorch {theirs:?}");
    for number in [1, 2] {
        let gradient = |images: &Tensor| answers(&reference, images)[number].shallow_clone();
        let theirs = errors(&rounded[number], &expected[number]);
        let ours = errors(&found[number], &expected[number]);
        for ((row, apart), theirs) in (0..).zip(ours).zip(theirs) {
            let right = apart < 5e-6
                || apart < 4.0 * theirs
                || apart < 5e-2 && near_kink(&images.narrow(0, row, 1), &gradient);
            assert!(right, "{name}, image {row}: {apart}, libtorch {theirs}");
        }
    }
}

/// Would catch noise that is left out, and a gradient that is taken at other pixels than logits.
#[test]
fn a_noisy_network_stays_noisy() {
    if !available() {
        return;
    }
    let state = trained(&find("resnet2b").unwrap());
    let native = Native::load("resnet2b", &state, MEAN, STD).unwrap().with_input_noise(0.1);
    let compiled = Compiled::new(&native).unwrap().expect("kernels for every layer");
    assert!(compiled.declared_noisy());
    let images = ((random(17, &[2, 3, 32, 32]) + 1.0) * 0.5).to_kind(Kind::Float);
    let seeded = |model: &dyn Differentiable| {
        tch::manual_seed(4);
        model.pass(&images).unwrap().logits.detach().to_kind(Kind::Double)
    };
    let (found, expected) = (seeded(&compiled), seeded(&native));
    assert!(errors(&found, &expected).iter().all(|&apart| apart < 1e-5));
    let quiet = native.with_input_noise(0.0).logits(&images).unwrap();
    assert!(errors(&quiet, &expected).iter().all(|&apart| apart > 1e-3));
}

/// Would catch rounding that is left out or comes after the normalisation, and the gradient of rounding itself,
/// which is zero: what a network that rounds gives is what the plain one gives at the rounded pixels, value
/// and gradient, in libtorch and in our kernels.
#[test]
fn a_rounding_network_is_seen_through() {
    let state = trained(&find("resnet2b").unwrap());
    let load = || Native::load("resnet2b", &state, MEAN, STD).unwrap();
    let images = ((random(18, &[3, 3, 32, 32]) + 1.0) * 0.5).to_kind(Kind::Float);
    let rounded = (&images * 4.0).round() / 4.0;
    assert!((&images - &rounded).abs().max().double_value(&[]) > 0.1);
    let seen = |model: &dyn Differentiable, images: &Tensor| {
        let pass = model.pass(images).unwrap();
        let gradient = pass.gradient(&pass.logits.select(1, 3), Graph::Free).unwrap();
        (pass.logits.detach().to_kind(Kind::Double), gradient.to_kind(Kind::Double))
    };
    let (logits, gradient) = seen(&load(), &rounded);
    assert!(gradient.abs().max().double_value(&[]) > 1e-3);
    let native = load().with_input_levels(Some(5));
    let mut forms: Vec<Box<dyn Differentiable>> = Vec::new();
    if available() {
        forms.push(Box::new(Compiled::new(&native).unwrap().expect("kernels for every layer")));
    }
    forms.push(native.form(View::Folded).unwrap().unwrap());
    forms.push(Box::new(native));
    for form in forms {
        let (found, slope) = seen(form.as_ref(), &images);
        assert!(errors(&found, &logits).iter().all(|&apart| apart < 1e-5));
        assert!(errors(&slope, &gradient).iter().all(|&apart| apart < 1e-4));
        let said = form.logits(&images).unwrap().to_kind(Kind::Double);
        assert!(errors(&said, &logits).iter().all(|&apart| apart < 1e-5));
    }
}
