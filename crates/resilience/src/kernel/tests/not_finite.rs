//! NaN and infinity, in pixels and in weights, reach the logits.
//!
//! Not always as in libtorch: where it has infinity there may be NaN here, because a convolution by
//! Winograd's way takes differences of its pixels, and so one infinite pixel makes a whole tile NaN.

use tch::Tensor;

use super::{Case, assert_same_bits, pixels};
use crate::kernel::available;
use crate::layer::{
    BasicBlock, Builder, Conv, Flatten, GlobalAveragePool, Layers, Linear, Relu, ReluMaxPool,
    Window,
};

const CLASSES: usize = 3;
const BAD: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// All four pixels of a pool's window, and others at the edges and between them.
const PIXELS: [i64; 7] = [0, 1, 6, 7, 15, 17, 35];

type Make = fn(&mut Builder) -> Layers;

/// Networks for images of 8 channels and 6 x 6 pixels, each with another way for a number to be
/// lost.
const NETWORKS: [(&str, Make); 5] = [
    ("pooled", |builder| {
        vec![
            Box::new(ReluMaxPool),
            Box::new(Flatten),
            Box::new(Linear::new(builder, "0", [8 * 9, 3]).unwrap()),
        ]
    }),
    ("3x3", |builder| {
        vec![
            Box::new(Conv::with_bias(builder, "0", [8, 9], Window::THREE).unwrap()),
            Box::new(Relu),
            Box::new(GlobalAveragePool),
            Box::new(Linear::new(builder, "1", [9, 3]).unwrap()),
        ]
    }),
    ("2x2", |builder| {
        let window = Window { size: 2, stride: 1, padding: 0 };
        vec![
            Box::new(Conv::with_bias(builder, "0", [8, 4], window).unwrap()),
            Box::new(ReluMaxPool),
            Box::new(Flatten),
            Box::new(Linear::new(builder, "1", [4 * 4, 9]).unwrap()),
            Box::new(Relu),
            Box::new(Linear::new(builder, "2", [9, 3]).unwrap()),
        ]
    }),
    ("padded block", |builder| {
        vec![
            Box::new(BasicBlock::padded(builder, "0".to_owned(), [8, 12]).unwrap()),
            Box::new(GlobalAveragePool),
            Box::new(Linear::new(builder, "1", [12, 3]).unwrap()),
        ]
    }),
    ("projected block", |builder| {
        vec![
            Box::new(BasicBlock::projected_with_norm(builder, "0".to_owned(), [8, 12]).unwrap()),
            Box::new(GlobalAveragePool),
            Box::new(Linear::new(builder, "1", [12, 3]).unwrap()),
        ]
    }),
];

/// Where libtorch has NaN there must be NaN, and where it has infinity no number.
fn assert_reaches(found: &[f32], expected: &Tensor, what: &str) {
    for (found, expected) in found.iter().zip(super::flat(expected)) {
        let kept = if expected.is_nan() {
            found.is_nan()
        } else {
            expected.is_finite() || !found.is_finite()
        };
        assert!(kept, "{what}: {found} where libtorch has {expected}");
    }
}

/// Would catch a ReLU or a pool that takes the larger of NaN and a number, and a bad row that
/// spoils others, beside it or after it.
#[test]
fn bad_pixels_reach_the_logits_of_their_row_alone() {
    if !available() {
        return;
    }
    for (name, make) in NETWORKS {
        let case = Case::new([8, 6, 6], make);
        let team = case.team(1).unwrap();
        let images = case.images(3);
        let clean = team.logits(&pixels(&images), CLASSES);
        for (pixel, bad) in PIXELS.into_iter().flat_map(|pixel| BAD.map(|bad| (pixel, bad))) {
            let (spoilt, what) = (images.copy(), format!("{name}: pixel {pixel} is {bad}"));
            let _ = spoilt.select(0, 1).select(0, 2).view([36]).narrow(0, pixel, 1).fill_(bad);
            let expected = case.logits(&spoilt).select(0, 1);
            let (taped, _) = team.run(&pixels(&spoilt), CLASSES);
            for found in [team.logits(&pixels(&spoilt), CLASSES), taped] {
                assert_reaches(&found[CLASSES..2 * CLASSES], &expected, &what);
                assert_same_bits(&found[..CLASSES], &clean[..CLASSES], &what);
                assert_same_bits(&found[2 * CLASSES..], &clean[2 * CLASSES..], &what);
            }
        }
        assert_same_bits(&team.logits(&pixels(&images), CLASSES), &clean, name);
    }
}

/// Would catch the same in weights, biases and batch norms.
#[test]
fn bad_weights_reach_the_logits() {
    if !available() {
        return;
    }
    for (name, make) in NETWORKS {
        let case = Case::new([8, 6, 6], make);
        let images = case.images(2);
        for (parameter, bad) in case.parameters.iter().flat_map(|p| BAD.map(|bad| (p, bad))) {
            let place = parameter.tensor.flatten(0, -1).size()[0] / 2;
            let values = parameter.tensor.copy();
            let spoilt = values.contiguous().copy();
            let _ = spoilt.view([-1]).narrow(0, place, 1).fill_(bad);
            parameter.tensor.shallow_clone().copy_(&spoilt);
            let expected = case.logits(&images);
            let found = case.team(1).unwrap().logits(&pixels(&images), CLASSES);
            parameter.tensor.shallow_clone().copy_(&values);
            assert_reaches(&found, &expected, &format!("{name}: {} is {bad}", parameter.name));
        }
    }
}
