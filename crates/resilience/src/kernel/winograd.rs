//! 3x3 convolutions with stride 1 by Winograd's F(4x4, 3x3).
//!
//! Source: Lavin and Gray 2016, Fast Algorithms for Convolutional Neural Networks. An output tile of
//! 4 x 4 pixels comes of 36 products instead of 144: tiles of 6 x 6 inputs and the kernels are
//! transformed, multiplied place by place (36 matrix products over the channels), and transformed
//! back. Against the textbook's sum the result differs by rounding, some 1e-6 of the largest value.

mod weights;

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_fmadd_ps, _mm256_fnmadd_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_sub_ps,
};

use rayon::prelude::{
    IndexedParallelIterator, IntoParallelIterator, ParallelIterator, ParallelSliceMut,
};

use super::buffer::Aligned;
use super::epilogue::Epilogue;
use super::gemm::Panels;
use super::map::Map;
use super::simd::{LANES, V, load_line, store_line};
use crate::threads::shared;

/// Places of a transformed tile.
const PLACES: usize = 36;
/// Numbers on both sides of the products that are meant to stay in a core's cache.
const CACHE: usize = 96 * 1024;

/// The kernels of a convolution, transformed: a right side for each place.
#[derive(Debug)]
pub struct Winograd {
    places: Vec<Panels>,
}

/// Memory for the tiles of a block.
#[derive(Debug, Default)]
pub struct Scratch {
    tiles: Aligned,
    products: Aligned,
    panel: Aligned,
}

impl Winograd {
    /// Transforms kernels of `inputs` to `outputs` channels; `at(output, input, y, x)` gives their
    /// numbers.
    pub fn new(
        inputs: usize,
        outputs: usize,
        at: impl Fn(usize, usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let rows = inputs.next_multiple_of(LANES);
        let places = shared(|| {
            let mut transformed = vec![0.0; inputs * outputs * PLACES];
            let kernels = transformed.par_chunks_exact_mut(PLACES).enumerate();
            kernels.for_each(|(number, to)| {
                let (input, output) = (number / outputs, number % outputs);
                to.copy_from_slice(&weights::transform(|y, x| at(output, input, y, x)));
            });
            let pack = |place: usize| {
                Panels::pack(rows, outputs, |input, output| {
                    let number = input * outputs + output;
                    if input < inputs { transformed[number * PLACES + place] } else { 0.0 }
                })
            };
            (0..PLACES).into_par_iter().map(pack).collect()
        });
        Self { places }
    }

    /// Convolves so many images that lie one after the other.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn convolve(
        &self,
        images: usize,
        from: (&Map, &[f32]),
        epilogue: &mut Epilogue,
        scratch: &mut Scratch,
    ) {
        let (inputs, outputs) = (self.places[0].rows(), self.places[0].columns());
        let map = from.0;
        let (down, across) = (map.height.div_ceil(4), map.width.div_ceil(4));
        let total = images * down * across;
        let most = tiles_at_once(inputs + outputs);
        // A line more than the tiles need: 36 planes a power of two apart would share their places
        // in the cache.
        let (plane_in, plane_out) = (most * inputs + 16, most * outputs + 16);
        scratch.tiles.reserve(PLACES * plane_in);
        scratch.products.reserve(PLACES * plane_out);
        let place = |tile: usize| {
            let (image, rest) = (tile / (down * across), tile % (down * across));
            (image, 4 * (rest / across), 4 * (rest % across))
        };
        for first in (0..total).step_by(most) {
            let tiles = most.min(total - first);
            for tile in 0..tiles {
                let (image, y, x) = place(first + tile);
                let start = image * map.size() + map.window(y, x, 1);
                for channel in (0..inputs).step_by(LANES) {
                    let to = &mut scratch.tiles[tile * inputs + channel..];
                    transform(&from.1[start + channel..], map, to, plane_in);
                }
            }
            for (number, panels) in self.places.iter().enumerate() {
                let left = &scratch.tiles[number * plane_in..];
                let out = &mut scratch.products[number * plane_out..];
                panels.multiply(tiles, left, inputs, out);
            }
            for tile in 0..tiles {
                let (image, y, x) = place(first + tile);
                for channel in (0..outputs).step_by(LANES) {
                    let products = &scratch.products[tile * outputs + channel..];
                    restore(products, plane_out, epilogue, (image, y, x, channel));
                }
            }
        }
    }
}

/// How many tiles are transformed and multiplied together: a multiple of the rows of a product's
/// block, and few enough that both sides stay in the cache; where there are so many channels that
/// the weights do not, enough to make reading them worth it.
fn tiles_at_once(channels: usize) -> usize {
    if channels > 192 { 96 } else { (CACHE / (PLACES * channels) / 6 * 6).clamp(24, 96) }
}

/// A tile of 6 x 6 pixels, eight channels of it, transformed along both sides.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn transform(from: &[f32], map: &Map, to: &mut [f32], plane: usize) {
    let mut half = [[_mm256_setzero_ps(); 6]; 6];
    for x in 0..6 {
        let column = load_line(&from[x * map.channels..], map.row());
        for (y, value) in into_tile(column).into_iter().enumerate() {
            half[y][x] = value;
        }
    }
    for (y, half) in half.into_iter().enumerate() {
        store_line(&mut to[6 * y * plane..], plane, into_tile(half));
    }
}

/// Six inputs of a line, transformed.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn into_tile([x0, x1, x2, x3, x4, x5]: [V; 6]) -> [V; 6] {
    let (two, four, five) = (_mm256_set1_ps(2.0), _mm256_set1_ps(4.0), _mm256_set1_ps(5.0));
    let (near, far) = (_mm256_fnmadd_ps(four, x2, x4), _mm256_fnmadd_ps(four, x1, x3));
    let (even, odd) = (_mm256_sub_ps(x4, x2), _mm256_sub_ps(x3, x1));
    [
        _mm256_fmadd_ps(four, x0, _mm256_fnmadd_ps(five, x2, x4)),
        _mm256_add_ps(near, far),
        _mm256_sub_ps(near, far),
        _mm256_fmadd_ps(two, odd, even),
        _mm256_fnmadd_ps(two, odd, even),
        _mm256_fmadd_ps(four, x1, _mm256_fnmadd_ps(five, x3, x5)),
    ]
}

/// The 4 x 4 outputs of a tile, eight channels of them, handed on.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn restore(
    products: &[f32],
    plane: usize,
    epilogue: &mut Epilogue,
    (image, y, x, channel): (usize, usize, usize, usize),
) {
    let mut half = [[_mm256_setzero_ps(); 6]; 4];
    for x in 0..6 {
        let column = load_line(&products[x * plane..], 6 * plane);
        for (y, value) in out_of_tile(column).into_iter().enumerate() {
            half[y][x] = value;
        }
    }
    let rows = (epilogue.map.height - y).min(4);
    for (down, half) in half.into_iter().enumerate().take(rows) {
        let line = out_of_tile(half);
        match epilogue.map.width - x {
            1 => epilogue.put(image, (y + down, x), channel, [line[0]]),
            2 => epilogue.put(image, (y + down, x), channel, [line[0], line[1]]),
            3 => epilogue.put(image, (y + down, x), channel, [line[0], line[1], line[2]]),
            _ => epilogue.put(image, (y + down, x), channel, line),
        }
    }
}

/// Four outputs of a line from its six products.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn out_of_tile([m0, m1, m2, m3, m4, m5]: [V; 6]) -> [V; 4] {
    let (two, four, eight) = (_mm256_set1_ps(2.0), _mm256_set1_ps(4.0), _mm256_set1_ps(8.0));
    let (sum, difference) = (_mm256_add_ps(m1, m2), _mm256_sub_ps(m1, m2));
    let (far_sum, far_difference) = (_mm256_add_ps(m3, m4), _mm256_sub_ps(m3, m4));
    [
        _mm256_add_ps(m0, _mm256_add_ps(sum, far_sum)),
        _mm256_fmadd_ps(two, far_difference, difference),
        _mm256_fmadd_ps(four, far_sum, sum),
        _mm256_add_ps(_mm256_fmadd_ps(eight, far_difference, difference), m5),
    ]
}
