//! The gradients of weights against libtorch in f64, and the laws that they keep.

use tch::Tensor;

use super::{
    Case, answers, assert_same_bits, conv, errors, flat, lessons, linear, pixels, random, weights,
};
use crate::kernel::available;
use crate::layer::{
    BasicBlock, Builder, Flatten, GlobalAveragePool, Layers, Relu, ReluMaxPool, Window,
};

/// Makes layers, each of which reads what the one before it gives.
type Make = fn(&mut Builder) -> Layers;

/// Side lengths that are and are not multiples of a tile, channels that are and are not multiples of
/// a vector, and every operation that has weights.
const CASES: &[(&str, [i64; 3], Make)] = &[
    ("a small network", [3, 9, 6], |b| {
        vec![
            conv(b, "0", [3, 12], Window::THREE),
            Box::new(ReluMaxPool),
            conv(b, "1", [12, 17], Window::THREE),
            Box::new(Relu),
            Box::new(Flatten),
            linear(b, "2", [17 * 12, 21]),
            Box::new(Relu),
            linear(b, "3", [21, 5]),
        ]
    }),
    ("windows that halve", [5, 11, 8], |b| {
        vec![
            conv(b, "0", [5, 8], Window::THREE_HALVING),
            Box::new(Relu),
            conv(b, "1", [8, 9], Window { size: 4, stride: 2, padding: 1 }),
            Box::new(Relu),
            conv(b, "2", [9, 16], Window { size: 1, stride: 1, padding: 0 }),
            Box::new(GlobalAveragePool),
            linear(b, "3", [16, 3]),
        ]
    }),
    ("residual blocks", [3, 8, 8], |b| {
        let block = |b: &mut Builder, name: &str, widths| {
            Box::new(BasicBlock::projected(b, name.to_owned(), widths).unwrap())
        };
        vec![
            conv(b, "0", [3, 8], Window::THREE),
            Box::new(Relu),
            block(b, "1", [8, 8]),
            block(b, "2", [8, 16]),
            Box::new(Flatten),
            linear(b, "3", [16 * 16, 4]),
        ]
    }),
];

fn cases() -> impl Iterator<Item = (&'static str, Case)> {
    CASES.iter().map(|&(what, input, make)| (what, Case::new(input, make)))
}

/// Would catch a kernel's number that is summed over the wrong pixels, in another order than a state
/// dict's, or in a transform that is not the transpose; a bias that is forgotten, a mask that is laid
/// after instead of before, and an input that was overwritten before it was needed.
#[test]
fn gradients_of_weights_are_those_of_libtorch_in_f64() {
    if !available() {
        return;
    }
    for (what, case) in cases() {
        for n in [1, 3, 70] {
            let images = case.images(n);
            let classes = case.logits(&images).size()[1] as usize;
            let trainer = case.trainer(2).unwrap();
            let (found, gradients) = lessons(&trainer, &images, classes, &weights);
            let team = case.team(2).unwrap();
            for (found, expected) in found.iter().zip(answers(&team, &images, classes, &weights)) {
                assert_same_bits(&flat(found), &flat(&expected), what);
            }
            let expected = case.gradients(&images, &weights);
            assert_eq!(gradients.len(), expected.len());
            for (name, expected) in &expected {
                let (_, found) = gradients.iter().find(|(found, _)| found == name).unwrap();
                let found = Tensor::from_slice(found).view([1, -1]);
                let apart = errors(&found, &expected.reshape([1, -1]))[0];
                assert!(apart < 2e-5, "{what}, {n} images: {name} differs by {apart}");
            }
        }
    }
}

/// Would catch a second pass of a step that takes the place of the first, sums that live on into the
/// next step, and memory whose old contents count.
#[test]
fn passes_add_up_until_they_are_taken() {
    if !available() {
        return;
    }
    for (what, case) in cases() {
        let images = case.images(7);
        let classes = case.logits(&images).size()[1] as usize;
        let other = random(23, &images.size());
        let trainer = case.trainer(1).unwrap();
        let (_, first) = lessons(&trainer, &images, classes, &weights);
        let (_, second) = lessons(&trainer, &other, classes, &weights);
        let laps = [&images, &other].map(|images| trainer.forward(&pixels(images), classes));
        for (logits, lap) in laps {
            let logits = Tensor::from_slice(&logits).view([-1, classes as i64]);
            trainer.backward(lap, &flat(&weights(&logits)), classes, false);
        }
        let both = trainer.take_gradients();
        let numbers = |named: &[(String, Vec<f32>)]| {
            named.iter().flat_map(|(_, numbers)| numbers.clone()).collect::<Vec<_>>()
        };
        let both: Vec<_> = both.into_iter().flat_map(|g| [g.weight, g.bias]).flatten().collect();
        let sum: Vec<_> = numbers(&first).into_iter().zip(numbers(&second)).collect();
        assert_eq!(both.len(), sum.len());
        for (found, (first, second)) in both.into_iter().zip(sum) {
            let apart = (found - (first + second)).abs();
            assert!(apart <= 1e-5 * (1.0 + first.abs() + second.abs()), "{what}: {apart}");
        }
        let (_, again) = lessons(&trainer, &images, classes, &weights);
        assert_same_bits(&numbers(&again), &numbers(&first), what);
    }
}

/// Would catch what a larger batch leaves in memory for a smaller one, as at the end of an epoch, and
/// sums of groups that the smaller one does not have.
#[test]
fn batches_of_other_sizes_do_not_matter() {
    if !available() {
        return;
    }
    for (what, case) in cases() {
        let classes = case.logits(&case.images(1)).size()[1] as usize;
        let trainer = case.trainer(3).unwrap();
        for n in [70, 3, 1, 2, 70] {
            let images = case.images(n);
            let fresh = lessons(&case.trainer(3).unwrap(), &images, classes, &weights);
            let found = lessons(&trainer, &images, classes, &weights);
            for (found, expected) in found.0.iter().zip(&fresh.0) {
                assert_same_bits(&flat(found), &flat(expected), what);
            }
            assert_eq!(found.1.len(), fresh.1.len());
            for ((name, found), (_, expected)) in found.1.iter().zip(&fresh.1) {
                assert_same_bits(found, expected, &format!("{what}, {n} images: {name}"));
            }
        }
    }
}

/// Would catch weights that are packed once and not again.
#[test]
fn new_weights_are_taken() {
    if !available() {
        return;
    }
    let (what, case) = cases().next().unwrap();
    let images = case.images(4);
    let mut trainer = case.trainer(1).unwrap();
    let before = trainer.forward(&pixels(&images), 5).0;
    let _guard = tch::no_grad_guard();
    for parameter in &case.parameters {
        let _ = parameter.tensor.shallow_clone().f_mul_scalar_(0.5);
    }
    assert!(trainer.set(case.lowered().unwrap()));
    let (after, lap) = trainer.forward(&pixels(&images), 5);
    let fresh = case.trainer(1).unwrap();
    assert_same_bits(&after, &fresh.forward(&pixels(&images), 5).0, what);
    assert_ne!(before, after);
    assert!(trainer.backward(lap, &after, 5, false).is_none());
}
