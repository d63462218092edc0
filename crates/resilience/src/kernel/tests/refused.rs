//! What has no kernel is refused, and left to libtorch, rather than computed wrongly.

use tch::{Kind, Tensor};

use super::{Case, conv, linear};
use crate::error::EngineError;
use crate::kernel::{Program, Team, Weights, available};
use crate::layer::{
    BasicBlock, Builder, Flatten, GlobalAveragePool, Layer, Layers, Norm, Relu, ReluMaxPool, Window,
};
use crate::model::{Classifier, Compiled, Differentiable, Native};

/// Batch norm of so many channels.
fn norm(builder: &mut Builder, channels: i64) -> Box<dyn Layer> {
    Box::new(Norm::new(builder, "norm".to_owned(), channels).unwrap())
}

/// Makes layers, each of which reads what the one before it gives.
type Make = fn(&mut Builder) -> Layers;

const WIDE: Window = Window { size: 5, stride: 1, padding: 2 };
const LARGE: Window = Window { size: 8, stride: 2, padding: 0 };

/// Networks for images of 8 channels and 6 x 7 pixels; most of them libtorch would compute.
const REFUSED: &[(&str, Make)] = &[
    ("padding 2", |b| vec![conv(b, "0", [8, 3], WIDE), Box::new(GlobalAveragePool)]),
    ("a window larger than the image", |b| {
        vec![conv(b, "0", [8, 3], LARGE), Box::new(GlobalAveragePool)]
    }),
    ("channels that are not there", |b| {
        vec![conv(b, "0", [16, 3], Window::THREE), Box::new(GlobalAveragePool)]
    }),
    ("features that are not there", |b| vec![Box::new(GlobalAveragePool), linear(b, "1", [17, 3])]),
    ("flat features that are not there", |b| vec![Box::new(Flatten), linear(b, "1", [8 * 41, 3])]),
    ("ReLU first", |b| vec![Box::new(Relu), Box::new(Flatten), linear(b, "1", [8 * 42, 3])]),
    ("ReLU behind a pool", |b| {
        vec![Box::new(ReluMaxPool), Box::new(Relu), Box::new(Flatten), linear(b, "1", [8 * 9, 3])]
    }),
    ("ReLU behind an average", |b| {
        vec![Box::new(GlobalAveragePool), Box::new(Relu), linear(b, "1", [8, 3])]
    }),
    ("ReLU behind a flattening", |b| {
        vec![Box::new(Flatten), Box::new(Relu), linear(b, "1", [8 * 42, 3])]
    }),
    ("a linear layer on rows of pixels", |b| vec![linear(b, "1", [7, 3])]),
    ("batch norm of features", |b| {
        vec![Box::new(GlobalAveragePool), norm(b, 8), linear(b, "1", [8, 3])]
    }),
    ("batch norm of channels that are not there", |b| {
        vec![norm(b, 16), Box::new(GlobalAveragePool), linear(b, "1", [8, 3])]
    }),
    ("two flattenings", |b| {
        vec![Box::new(Flatten), Box::new(Flatten), linear(b, "1", [8 * 42, 3])]
    }),
    ("a flattening behind an average", |b| {
        vec![Box::new(GlobalAveragePool), Box::new(Flatten), linear(b, "1", [8, 3])]
    }),
    ("a convolution of features", |b| {
        vec![Box::new(GlobalAveragePool), conv(b, "0", [8, 3], Window::THREE)]
    }),
    ("a pool of nothing", |b| {
        let mut layers: Layers = (0..3).map(|_| Box::new(ReluMaxPool) as _).collect();
        layers.push(Box::new(Flatten));
        layers.push(linear(b, "1", [0, 3]));
        layers
    }),
    ("a ReLU at the end", |b| {
        vec![Box::new(GlobalAveragePool), linear(b, "1", [8, 3]), Box::new(Relu)]
    }),
    ("an image at the end", |b| vec![conv(b, "0", [8, 3], Window::THREE)]),
    ("flat pixels at the end", |_| vec![Box::new(Flatten)]),
    ("nothing at all", |_| Vec::new()),
    ("a block that narrows", |b| {
        let block = BasicBlock::padded(b, "block".to_owned(), [24, 8]).unwrap();
        vec![conv(b, "0", [8, 24], Window::THREE), Box::new(block), Box::new(GlobalAveragePool)]
    }),
];

/// Would catch a network that is accepted and computed wrongly, or that panics.
#[test]
fn networks_without_kernels_are_refused() {
    for (what, make) in REFUSED {
        assert!(Case::new([8, 6, 7], make).team(1).is_none(), "{what}");
    }
}

/// Would catch an operation on whole vectors that is let loose on three channels.
#[test]
fn pixels_of_three_channels_go_into_convolutions_alone() {
    let refused: [Make; 5] = [
        |b| vec![Box::new(Flatten), linear(b, "1", [3 * 42, 3])],
        |b| vec![Box::new(GlobalAveragePool), linear(b, "1", [3, 3])],
        |b| vec![Box::new(ReluMaxPool), Box::new(Flatten), linear(b, "1", [3 * 9, 3])],
        |b| vec![norm(b, 3), conv(b, "1", [3, 8], Window::THREE), Box::new(GlobalAveragePool)],
        // The sum of the pixels, and of what lies in memory as other images do.
        |b| {
            let block = BasicBlock::padded(b, "block".to_owned(), [3, 3]).unwrap();
            vec![Box::new(block), Box::new(GlobalAveragePool), linear(b, "1", [3, 3])]
        },
    ];
    for (number, make) in refused.into_iter().enumerate() {
        assert!(Case::new([3, 6, 7], make).team(1).is_none(), "{number}");
    }
}

/// Appends a 3x3 convolution of eight channels.
fn three(program: &mut Program, from: usize, add: Option<usize>) -> Option<usize> {
    let numbers = vec![0.1; 8 * 8 * 9];
    let weights = Weights { name: "", numbers: &numbers, channels: [8, 8], bias: &[0.0; 8] };
    program.convolution(from, &weights, Window::THREE, add)
}

/// Whether there are kernels for a program of convolutions, with an average at its end.
fn accepted(make: impl FnOnce(&mut Program) -> Option<()>) -> bool {
    let mut program = Program::new([8, 6, 7]);
    let made = make(&mut program).and_then(|()| program.average());
    made.is_some() && Team::new(program, 1).is_some()
}

/// Would catch a gradient that is lost or lacks a mask: of a result that nothing reads, of one that
/// is added twice, and of one behind ReLU that is nothing but added.
#[test]
fn ways_back_that_are_not_known_are_refused() {
    if !available() {
        return;
    }
    assert!(accepted(|p| {
        let first = three(p, 0, None)?;
        p.relu()?;
        three(p, first, Some(first)).map(drop)
    }));
    let unread = |p: &mut Program| {
        three(p, 0, None)?;
        three(p, 0, None).map(drop)
    };
    let twice = |p: &mut Program| {
        let first = three(p, 0, None)?;
        let second = three(p, first, Some(first))?;
        three(p, second, Some(first)).map(drop)
    };
    let unmasked = |p: &mut Program| {
        let first = three(p, 0, None)?;
        p.relu()?;
        let second = three(p, 0, None)?;
        three(p, second, Some(first)).map(drop)
    };
    assert!(!accepted(unread) && !accepted(twice) && !accepted(unmasked));
    // Of another size than what it is added to.
    let other_size = |p: &mut Program| {
        let weights = Weights { name: "", numbers: &[0.1; 64], channels: [8, 8], bias: &[0.0; 8] };
        let halving = Window { size: 1, stride: 2, padding: 0 };
        p.convolution(0, &weights, halving, Some(0)).map(drop)
    };
    assert!(!accepted(other_size));
}

/// Would catch images of another size that are taken for fewer or more of the right one: the
/// networks with an average take any size, their compiled form does not.
#[test]
fn images_of_another_size_are_refused() {
    let model = Native::initial("resnet20", 0, [0.5; 3], [0.25; 3]).unwrap();
    let Some(model) = Compiled::new(&model).unwrap() else { return };
    let images = Tensor::zeros([16, 3, 8, 8], (Kind::Float, tch::Device::Cpu));
    let is_refused = |error: Option<EngineError>| matches!(error, Some(EngineError::Input { .. }));
    assert!(is_refused(model.logits(&images).err()));
    assert!(is_refused(model.pass(&images).err()));
}
