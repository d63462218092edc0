//! What holds of every network: folding, counting, halves, loading.

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
    let logits = |network: &Network, images: &Tensor| network.forward(images, Mode::Eval).unwrap();
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
    for words in ["do not fit resnet20", "has no place", "more", "they fit resnet32", "inspect"] {
        assert!(error.contains(words), "{words}: {error}");
    }
}

/// Would catch weights that are trained in bf16: they and their gradients stay f32, and the
/// gradients are those of f32 up to bf16's rounding.
#[test]
fn training_in_bf16_keeps_its_weights_in_f32() {
    let gradients = |network: &Network| -> Vec<Tensor> {
        network.set_trainable(Trainable::Yes).unwrap();
        let images = (Tensor::arange(4 * 3 * 32 * 32, (Kind::Float, Device::Cpu)) * 0.739).sin();
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
