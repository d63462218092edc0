//! A row's result does not depend on the rows beside it, nor on the threads.

use tch::Tensor;

use super::{Case, assert_same_bits, flat, pixels, random};
use crate::kernel::{Team, available};
use crate::layer::{
    BasicBlock, Builder, Conv, Flatten, GlobalAveragePool, Layers, Linear, Relu, ReluMaxPool,
    Window,
};

const CLASSES: usize = 5;
/// More than three threads take at once.
const MOST: i64 = 300;

/// Every operation that there is but the average, on sides that are no multiples of a tile.
fn flat_end(builder: &mut Builder) -> Layers {
    let name = |name: &str| name.to_owned();
    let two = Window { size: 2, stride: 2, padding: 1 };
    vec![
        Box::new(Conv::with_norm(builder, ["0", "1"], [3, 12], Window::THREE).unwrap()),
        Box::new(ReluMaxPool), // [n, 12, 3, 5]
        Box::new(BasicBlock::padded(builder, name("2"), [12, 12]).unwrap()),
        Box::new(BasicBlock::padded(builder, name("3"), [12, 17]).unwrap()), // [n, 17, 2, 3]
        Box::new(BasicBlock::projected(builder, name("4"), [17, 20]).unwrap()), // [n, 20, 1, 2]
        Box::new(Conv::with_bias(builder, "5", [20, 16], two).unwrap()),     // [n, 16, 1, 2]
        Box::new(Relu),
        Box::new(Flatten),
        Box::new(Linear::new(builder, "6", [32, 33]).unwrap()),
        Box::new(Relu),
        Box::new(Linear::new(builder, "7", [33, CLASSES as i64]).unwrap()),
    ]
}

/// What the ResNets have, with an average.
fn average_end(builder: &mut Builder) -> Layers {
    vec![
        Box::new(Conv::with_norm(builder, ["0", "1"], [3, 8], Window::THREE).unwrap()),
        Box::new(Relu),
        Box::new(BasicBlock::padded(builder, "2".to_owned(), [8, 8]).unwrap()),
        Box::new(GlobalAveragePool),
        Box::new(Linear::new(builder, "3", [8, CLASSES as i64]).unwrap()),
    ]
}

/// Logits without and with a tape, and the gradient.
fn answers(team: &Team, images: &Tensor, gradient: &[f32]) -> [Vec<f32>; 3] {
    let pixels = pixels(images);
    let (logits, run) = team.run(&pixels, CLASSES);
    [team.logits(&pixels, CLASSES), logits, team.gradient(&run, gradient, CLASSES)]
}

/// Would catch a sum whose order depends on the size of the batch, a result that is computed of
/// another row's, groups that are shared out wrongly, and what one call leaves for the next.
#[test]
fn a_row_is_the_same_to_the_bit_in_any_company() {
    if !available() {
        return;
    }
    for make in [flat_end, average_end] {
        let case = Case::new([3, 7, 10], make);
        let (images, towards) = (case.images(MOST), random(3, &[MOST, CLASSES as i64]));
        let expected = answers(&case.team(1).unwrap(), &images, &flat(&towards));
        for threads in [1, 2, 3] {
            let team = case.team(threads).unwrap();
            for n in [64, 1, MOST, 5, 2, 130] {
                let rows: Vec<i64> = (0..n).collect();
                assert_rows(&team, [&images, &towards], &expected, &rows);
            }
        }
        // Beside other rows, and at another place.
        let rows: Vec<i64> = (0..MOST).map(|k| (k * 7 + 3) % MOST).collect();
        assert_rows(&case.team(2).unwrap(), [&images, &towards], &expected, &rows);
    }
}

/// Computes some rows alone, which have to be as they are in the whole batch.
fn assert_rows(team: &Team, [images, towards]: [&Tensor; 2], all: &[Vec<f32>; 3], rows: &[i64]) {
    let picked = Tensor::from_slice(rows);
    let pick = |tensor: &Tensor| tensor.index_select(0, &picked);
    let found = answers(team, &pick(images), &flat(&pick(towards)));
    for (found, all) in found.iter().zip(all) {
        let expected = pick(&Tensor::from_slice(all).view([MOST, -1]));
        assert_same_bits(found, &flat(&expected), &format!("{} rows", rows.len()));
    }
}

/// Would catch a pass that another one on the same team spoils before its gradient is taken, and a
/// gradient that uses up what it is computed of.
#[test]
fn passes_do_not_disturb_each_other() {
    if !available() {
        return;
    }
    let case = Case::new([3, 7, 10], flat_end);
    let team = case.team(2).unwrap();
    let images = case.images(20);
    let (one, other) = (pixels(&images.narrow(0, 0, 9)), pixels(&images.narrow(0, 9, 11)));
    let towards = flat(&random(3, &[11, CLASSES as i64]));
    let (_, run) = team.run(&one, CLASSES);
    let first = team.gradient(&run, &towards[..9 * CLASSES], CLASSES);
    let (_, second) = team.run(&other, CLASSES);
    let _ = team.logits(&other, CLASSES);
    let _ = team.gradient(&second, &towards, CLASSES);
    let again = team.gradient(&run, &towards[..9 * CLASSES], CLASSES);
    assert_same_bits(&again, &first, "the gradient of the first pass");
}
