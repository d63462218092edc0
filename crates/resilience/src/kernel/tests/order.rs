//! Layers in an order that no architecture has them in, but that is accepted.

use super::{Case, assert_right, conv, linear};
use crate::kernel::available;
use crate::layer::{
    BasicBlock, Builder, Flatten, GlobalAveragePool, Layer, Layers, Norm, PreactBlock, Relu,
    ReluMaxPool, Window,
};

type Make = fn(&mut Builder) -> Layers;

/// Networks for images of 8 channels and 6 x 7 pixels.
const ACCEPTED: &[(&str, Make)] = &[
    ("ReLU twice", |b| {
        let first = conv(b, "0", [8, 5], Window::THREE);
        vec![first, Box::new(Relu), Box::new(Relu), Box::new(GlobalAveragePool)]
    }),
    ("ReLU, then a pool with its own", |b| {
        let first = conv(b, "0", [8, 5], Window::THREE);
        let last = linear(b, "1", [5 * 9, 3]);
        vec![first, Box::new(Relu), Box::new(ReluMaxPool), Box::new(Flatten), last]
    }),
    ("pool upon pool", |b| {
        let last = linear(b, "0", [8, 3]);
        vec![Box::new(ReluMaxPool), Box::new(ReluMaxPool), Box::new(Flatten), last]
    }),
    ("an average of a pool", |_| vec![Box::new(ReluMaxPool), Box::new(GlobalAveragePool)]),
    ("an average of pixels", |_| vec![Box::new(GlobalAveragePool)]),
    ("a block of pixels", |b| {
        let block = BasicBlock::padded(b, "0".to_owned(), [8, 8]).unwrap();
        vec![Box::new(block), Box::new(GlobalAveragePool)]
    }),
    ("a widening block of pixels", |b| {
        let block = BasicBlock::padded(b, "0".to_owned(), [8, 13]).unwrap();
        vec![Box::new(block), Box::new(GlobalAveragePool), linear(b, "1", [13, 3])]
    }),
    ("a block behind a pool", |b| {
        let block = BasicBlock::padded(b, "0".to_owned(), [8, 8]).unwrap();
        vec![Box::new(ReluMaxPool), Box::new(block), Box::new(GlobalAveragePool)]
    }),
    ("a pool behind a block", |b| {
        let block = BasicBlock::padded(b, "0".to_owned(), [8, 8]).unwrap();
        vec![Box::new(block), Box::new(ReluMaxPool), Box::new(GlobalAveragePool)]
    }),
    ("batch norm of pixels", |b| vec![norm(b, "0", 8), Box::new(GlobalAveragePool)]),
    ("batch norm upon batch norm", |b| {
        let first = conv(b, "0", [8, 5], Window::THREE);
        let [second, third] = ["1", "2"].map(|name| norm(b, name, 5));
        vec![first, Box::new(Relu), second, third, Box::new(Flatten), linear(b, "3", [5 * 42, 3])]
    }),
    ("batch norm between two pools", |b| {
        let last = linear(b, "1", [8, 3]);
        vec![Box::new(ReluMaxPool), norm(b, "0", 8), Box::new(ReluMaxPool), Box::new(Flatten), last]
    }),
    ("a block with pre-activation of pixels", |b| {
        let block = PreactBlock::new(b, "0".to_owned(), [8, 8]).unwrap();
        vec![Box::new(block), Box::new(GlobalAveragePool)]
    }),
    ("a widening block with pre-activation of pixels", |b| {
        let block = PreactBlock::new(b, "0".to_owned(), [8, 13]).unwrap();
        vec![Box::new(block), norm(b, "1", 13), Box::new(Relu), Box::new(GlobalAveragePool)]
    }),
    ("both kinds of blocks", |b| {
        let first = PreactBlock::new(b, "0".to_owned(), [8, 13]).unwrap();
        let second = BasicBlock::padded(b, "1".to_owned(), [13, 13]).unwrap();
        let third = PreactBlock::new(b, "2".to_owned(), [13, 13]).unwrap();
        vec![Box::new(first), Box::new(second), Box::new(third), Box::new(GlobalAveragePool)]
    }),
    ("convolutions without ReLU", |b| {
        let first = conv(b, "0", [8, 9], Window::THREE);
        let second = conv(b, "1", [9, 3], Window::THREE_HALVING);
        vec![first, second, Box::new(GlobalAveragePool)]
    }),
];

fn norm(builder: &mut Builder, name: &str, channels: i64) -> Box<dyn Layer> {
    Box::new(Norm::new(builder, name.to_owned(), channels).unwrap())
}

/// Would catch an accepted network that is computed wrongly because no architecture has its order.
#[test]
fn layers_in_an_unusual_order_are_right() {
    if !available() {
        return;
    }
    for (what, make) in ACCEPTED {
        let case = Case::new([8, 6, 7], make);
        assert_right(&case, &case.images(3), what);
    }
}

/// Would catch features that are read in another order or number behind layers without an image.
#[test]
fn fully_connected_layers_follow_each_other() {
    if !available() {
        return;
    }
    for features in [1, 7, 8, 9, 16, 31] {
        let case = Case::new([8, 3, 5], |b| {
            let first = linear(b, "0", [8 * 15, features]);
            let second = linear(b, "1", [features, 11]);
            vec![Box::new(Flatten), first, second, Box::new(Relu), linear(b, "2", [11, 5])]
        });
        assert_right(&case, &case.images(3), &format!("{features} features"));
    }
}
