//! Odd sizes: sides that are no multiples of a tile, channels that are no multiples of a vector.

use super::{Case, assert_right, conv, linear, random};
use crate::error::EngineError;
use crate::kernel::available;
use crate::layer::{
    BasicBlock, Builder, Flatten, GlobalAveragePool, Layer, Layers, PreactBlock, Relu, ReluMaxPool,
    Window,
};

const CHANNELS: [i64; 6] = [1, 3, 5, 8, 12, 17];

/// Windows of every kind that the kernels take.
fn windows() -> impl Iterator<Item = Window> {
    (0..20).map(|k| Window { size: 1 + k % 5, stride: 1 + k / 5 % 2, padding: k / 10 })
}

/// Every height from 1 to 9, with a width that differs from turn to turn.
fn sides(turn: usize) -> impl Iterator<Item = [i64; 2]> {
    (0..9).map(move |k| [1 + k, 1 + (4 * k + 2 * turn as i64 + 3) % 9])
}

/// What a convolution makes of these sides, where it gives anything.
fn shrunk(sides: [i64; 2], window: Window) -> Option<[i64; 2]> {
    let room = sides.map(|side| side + 2 * window.padding - window.size);
    room.iter().all(|&room| room >= 0).then(|| room.map(|room| room / window.stride + 1))
}

/// Channels in and out.
fn channels(turn: usize, number: i64) -> [i64; 2] {
    let number = number as usize;
    [CHANNELS[(turn + number) % 6], CHANNELS[(turn + turn / 6 + 2 * number) % 6]]
}

/// Would catch a window that is laid over the wrong pixels, a margin that is not zero, a channel
/// that is filled up with something, and the order of features that a state dict counts in.
#[test]
fn convolutions_of_any_window_are_right_on_images_of_any_size() {
    if !available() {
        return;
    }
    for (turn, window) in windows().enumerate() {
        for [h, w] in sides(turn) {
            let Some([high, wide]) = shrunk([h, w], window) else { continue };
            let [a, b] = channels(turn, h);
            let case = Case::new([a, h, w], |builder| {
                let last = [b * high * wide, 5];
                vec![
                    conv(builder, "0", [a, b], window),
                    Box::new(Relu),
                    Box::new(Flatten),
                    linear(builder, "1", last),
                ]
            });
            let what = format!("{a} to {b} channels, {h} x {w}, {window:?}");
            assert_right(&case, &case.images(3), &what);
        }
    }
}

/// Would catch the same behind another convolution, where channels are filled up and the gradient
/// of a pixel goes through a mask.
#[test]
fn convolutions_behind_others_are_right() {
    if !available() {
        return;
    }
    for (turn, window) in windows().chain([Window::THREE; 6]).enumerate() {
        for [h, w] in sides(turn) {
            if shrunk([h, w], window).is_none() {
                continue;
            }
            let [a, b] = channels(turn, h);
            let case = Case::new([3, h, w], |builder| {
                vec![
                    conv(builder, "0", [3, a], Window::THREE),
                    Box::new(Relu),
                    conv(builder, "1", [a, b], window),
                    Box::new(GlobalAveragePool),
                    linear(builder, "2", [b, 5]),
                ]
            });
            let what = format!("{a} to {b} channels, {h} x {w}, {window:?}");
            assert_right(&case, &case.images(3), &what);
        }
    }
}

/// Would catch a pool that looks beyond an odd side, or sends a gradient to the wrong pixel.
#[test]
fn pools_of_odd_sides_are_right() {
    if !available() {
        return;
    }
    for (turn, a) in CHANNELS.into_iter().enumerate() {
        for [h, w] in sides(turn).filter(|sides| sides.iter().all(|&side| side > 1)) {
            let case = Case::new([2, h, w], |builder| {
                vec![
                    conv(builder, "0", [2, a], Window::THREE),
                    Box::new(ReluMaxPool),
                    conv(builder, "1", [a, 9], Window::THREE),
                    Box::new(Relu),
                    Box::new(Flatten),
                    linear(builder, "2", [9 * (h / 2) * (w / 2), 5]),
                ]
            });
            assert_right(&case, &case.images(3), &format!("{a} channels, {h} x {w}"));
        }
    }
}

/// Would catch a tie that is broken otherwise than by libtorch, which takes the first of equal
/// pixels, and a gradient that passes where the largest pixel is zero: pixels are half numbers.
#[test]
fn pools_break_ties_as_libtorch_does() {
    if !available() {
        return;
    }
    let case = Case::new([8, 7, 6], |builder| {
        vec![Box::new(ReluMaxPool), Box::new(Flatten), linear(builder, "0", [8 * 9, 5])]
    });
    let images = (random(9, &[3, 8, 7, 6]) * 2.0).round() * 0.5;
    assert_right(&case, &images, "ties");
}

type MakeBlock = fn(&mut Builder, &str, [i64; 2]) -> Result<Box<dyn Layer>, EngineError>;

/// Would catch a shortcut that takes the wrong pixels or channels, and a gradient that leaves out
/// one of the two ways or a ReLU's mask.
#[test]
fn residual_blocks_of_odd_widths_are_right() {
    if !available() {
        return;
    }
    let makes: [MakeBlock; 4] = [
        |b, name, widths| Ok(Box::new(BasicBlock::padded(b, name.to_owned(), widths)?)),
        |b, name, widths| Ok(Box::new(BasicBlock::projected(b, name.to_owned(), widths)?)),
        |b, name, widths| {
            Ok(Box::new(BasicBlock::projected_with_norm(b, name.to_owned(), widths)?))
        },
        |b, name, widths| Ok(Box::new(PreactBlock::new(b, name.to_owned(), widths)?)),
    ];
    for (turn, make) in makes.into_iter().enumerate() {
        for [h, w] in sides(turn) {
            let widths = [[1, 3], [3, 8], [5, 12], [8, 17], [12, 13], [7, 16]][h as usize % 6];
            let case = Case::new([3, h, w], |builder| blocks(builder, make, widths));
            assert_right(&case, &case.images(3), &format!("{turn}: {widths:?}, {h} x {w}"));
        }
    }
}

/// Three blocks, of which the second widens.
fn blocks(builder: &mut Builder, make: MakeBlock, [from, to]: [i64; 2]) -> Layers {
    let mut block = |name, widths| make(builder, name, widths).unwrap();
    let blocks = [block("0", [from, from]), block("1", [from, to]), block("2", [to, to])];
    let mut layers = vec![conv(builder, "3", [3, from], Window::THREE), Box::new(Relu)];
    layers.extend(blocks);
    layers.push(Box::new(GlobalAveragePool));
    layers.push(linear(builder, "4", [to, 5]));
    layers
}
