//! ReLU and 2x2 max pooling, of values in memory or of lines that have just been computed.

use std::arch::x86_64::_mm256_setzero_ps;

use super::epilogue::Epilogue;
use super::map::Map;
use super::simd::{LANES, V, larger, load, store_line, where_set};

/// What a pool has chosen: for each vector of values in order, which of them were above zero, and
/// which of the four pixels each came from.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// A bit where the largest value was above zero.
    pub masks: &'a [u8],
    /// Two bits for the pixel: to the right, and below.
    pub places: &'a [[u8; 2]],
}

/// The largest of 2 x 2 pixels; of equal ones the first, and what is not a number before all that
/// are. What was chosen is written down, where there is a place for it.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn max_pool(
    images: usize,
    (map, from): (&Map, &[f32]),
    epilogue: &mut Epilogue,
    choices: &mut [[u8; 2]],
) {
    for image in 0..images {
        for y in 0..epilogue.map.height {
            let lines = [0, 1].map(|down| &from[image * map.size() + map.at(2 * y + down, 0)..]);
            pool_lines(lines, (image, y), epilogue, choices);
        }
    }
}

/// Pools two lines of pixels, of as many channels as the result has, into line `y` of an image.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn pool_lines(
    lines: [&[f32]; 2],
    (image, y): (usize, usize),
    epilogue: &mut Epilogue,
    choices: &mut [[u8; 2]],
) {
    let to = epilogue.map;
    for x in 0..to.width {
        for channel in (0..to.channels).step_by(LANES) {
            let (left, right) =
                (2 * x * to.channels + channel, (2 * x + 1) * to.channels + channel);
            // Of two beside each other the one to the right, then of the two winners the lower one.
            let [above, below] = lines;
            let (best, right_above) = larger(load(&above[left..]), load(&above[right..]));
            let (low, right_below) = larger(load(&below[left..]), load(&below[right..]));
            let (best, down) = larger(best, low);
            let place = image * to.mask() + to.mask_at(y, x) + channel / LANES;
            if let Some(choice) = choices.get_mut(place) {
                *choice = [right_above & !down | right_below & down, down];
            }
            epilogue.put(image, (y, x), channel, [best]);
        }
    }
}

/// The gradient of [`max_pool`] and its ReLU. What is there already is added.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn max_pool_back(
    images: usize,
    (map, from): (&Map, &[f32]),
    choice: Choice,
    epilogue: &mut Epilogue,
) {
    for image in 0..images {
        for (y, x) in (0..map.height).flat_map(|y| (0..map.width).map(move |x| (y, x))) {
            for channel in (0..map.channels).step_by(LANES) {
                let [above, below] = unpooled((map, from), choice, image, (y, x, channel));
                epilogue.put(image, (2 * y, 2 * x), channel, above);
                epilogue.put(image, (2 * y + 1, 2 * x), channel, below);
            }
        }
        // Of an odd side the last line was not looked at.
        let to = epilogue.map;
        let pixels = (0..to.height).flat_map(|y| (0..to.width).map(move |x| (y, x)));
        for (y, x) in pixels.filter(|&(y, x)| y >= 2 * map.height || x >= 2 * map.width) {
            for channel in (0..to.channels).step_by(LANES) {
                epilogue.put(image, (y, x), channel, [_mm256_setzero_ps()]);
            }
        }
    }
}

/// The gradient of two lines of pixels, one after the other, from that of line `y` of an image.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn unpool_lines(
    (map, from): (&Map, &[f32]),
    choice: Choice,
    (image, y): (usize, usize),
    to: &mut [f32],
) {
    let line = 2 * map.width * map.channels;
    for x in 0..map.width {
        for channel in (0..map.channels).step_by(LANES) {
            let [above, below] = unpooled((map, from), choice, image, (y, x, channel));
            let place = 2 * x * map.channels + channel;
            store_line(&mut to[place..], map.channels, above);
            store_line(&mut to[line + place..], map.channels, below);
        }
    }
}

/// The gradient of four pixels, two above and two below, eight channels of them.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn unpooled(
    (map, from): (&Map, &[f32]),
    choice: Choice,
    image: usize,
    (y, x, channel): (usize, usize, usize),
) -> [[V; 2]; 2] {
    let place = image * map.mask() + map.mask_at(y, x) + channel / LANES;
    let (positive, [right, down]) = (choice.masks[place], choice.places[place]);
    let value = load(&from[image * map.size() + map.at(y, x) + channel..]);
    let (above, below) = (positive & !down, positive & down);
    // One by one: vectors in arrays that closures map go through memory.
    [
        [where_set(above & !right, value), where_set(above & right, value)],
        [where_set(below & !right, value), where_set(below & right, value)],
    ]
}
