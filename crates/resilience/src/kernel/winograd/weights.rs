//! The way of kernels into Winograd's places, and of their gradient out of them.

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_fmadd_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_sub_ps,
};

use super::{PLACES, Scratch, Winograd, transform as transform_pixels};
use crate::kernel::map::Map;
use crate::kernel::outer::{self, Rows};
use crate::kernel::simd::{LANES, V, load_line, store_line};

/// G of F(4x4, 3x3): a kernel's transform is `G g G^T`.
const G: [[f64; 3]; 6] = [
    [0.25, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// Tiles that are summed over at once: the more, the less often sums are read and written.
const TILES: usize = 48;

/// The 36 numbers of a kernel, of which `at(y, x)` gives the nine.
pub fn transform(at: impl Fn(usize, usize) -> f32) -> [f32; PLACES] {
    let mut half = [[0.0; 3]; 6];
    for (up, half) in G.into_iter().zip(&mut half) {
        for (x, half) in half.iter_mut().enumerate() {
            *half = (0..3).map(|y| up[y] * f64::from(at(y, x))).sum();
        }
    }
    std::array::from_fn(|place| {
        let (half, along) = (half[place / 6], G[place % 6]);
        (0..3).map(|x| half[x] * along[x]).sum::<f64>() as f32
    })
}

/// The nine numbers of a kernel's gradient, row by row, from the 36 of its transform's: the
/// transpose of [`transform`].
pub fn gradient(places: [f32; PLACES]) -> [f32; 9] {
    let mut half = [[0.0; 6]; 3];
    for (y, half) in half.iter_mut().enumerate() {
        for (column, half) in half.iter_mut().enumerate() {
            *half = (0..6).map(|row| G[row][y] * f64::from(places[6 * row + column])).sum();
        }
    }
    std::array::from_fn(|number| {
        let (y, x) = (number / 3, number % 3);
        (0..6).map(|column| half[y][column] * G[column][x]).sum::<f64>() as f32
    })
}

impl Winograd {
    /// Numbers of the sums that [`Winograd::add_gradient`] adds to: for each place `[in, out]`.
    pub fn sums(&self) -> usize {
        PLACES * self.places[0].rows() * self.places[0].columns()
    }

    /// The gradient of the kernel of two channels, row by row, from such sums.
    pub fn kernel(&self, sums: &[f32], input: usize, output: usize) -> [f32; 9] {
        let (rows, columns) = (self.places[0].rows(), self.places[0].columns());
        let inside = outer::place(rows, columns, input, output);
        gradient(std::array::from_fn(|place| sums[place * rows * columns + inside]))
    }

    /// Adds the gradient of the transformed kernels over so many images, of which `from` are the
    /// inputs and `gradient` that of the outputs.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn add_gradient(
        &self,
        images: usize,
        from: (&Map, &[f32]),
        gradient: (&Map, &[f32]),
        sums: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (inputs, outputs) = (self.places[0].rows(), self.places[0].columns());
        let map = gradient.0;
        let (down, across) = (map.height.div_ceil(4), map.width.div_ceil(4));
        let total = images * down * across;
        // A line more than the tiles need, as in `convolve`.
        let (plane_in, plane_out) = (TILES * inputs + 16, TILES * outputs + 16);
        scratch.tiles.reserve(PLACES * plane_in);
        scratch.products.reserve(PLACES * plane_out);
        for first in (0..total).step_by(TILES) {
            let tiles = TILES.min(total - first);
            for tile in 0..tiles {
                let (image, rest) =
                    ((first + tile) / (down * across), (first + tile) % (down * across));
                let (y, x) = (4 * (rest / across), 4 * (rest % across));
                let start = image * from.0.size() + from.0.window(y, x, 1);
                for channel in (0..inputs).step_by(LANES) {
                    let to = &mut scratch.tiles[tile * inputs + channel..];
                    transform_pixels(&from.1[start + channel..], from.0, to, plane_in);
                }
                let start = image * map.size() + map.at(y, x);
                for channel in (0..outputs).step_by(LANES) {
                    let to = &mut scratch.products[tile * outputs + channel..];
                    transform_gradient(&gradient.1[start + channel..], map, to, plane_out);
                }
            }
            for (place, sums) in sums.chunks_exact_mut(inputs * outputs).enumerate() {
                let left = &scratch.tiles[place * plane_in..];
                let right = &scratch.products[place * plane_out..];
                outer::add(
                    tiles,
                    Rows { numbers: left, stride: inputs, width: inputs },
                    Rows { numbers: right, stride: outputs, width: outputs },
                    sums,
                    &mut scratch.panel,
                );
            }
        }
    }
}

/// The gradient of a tile of 4 x 4 outputs, eight channels of it, as that of its 36 products: the
/// transpose of what restores the outputs.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn transform_gradient(from: &[f32], map: &Map, to: &mut [f32], plane: usize) {
    let mut half = [[_mm256_setzero_ps(); 4]; 6];
    for x in 0..4 {
        let column = load_line(&from[x * map.channels..], map.row());
        for (y, value) in into_products(column).into_iter().enumerate() {
            half[y][x] = value;
        }
    }
    for (y, half) in half.into_iter().enumerate() {
        store_line(&mut to[6 * y * plane..], plane, into_products(half));
    }
}

/// Four outputs' gradients of a line as those of its six products.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn into_products([y0, y1, y2, y3]: [V; 4]) -> [V; 6] {
    let (two, four) = (_mm256_set1_ps(2.0), _mm256_set1_ps(4.0));
    let (even, odd) = (_mm256_add_ps(y0, y2), _mm256_add_ps(y1, y3));
    let far_even = _mm256_fmadd_ps(four, y2, y0);
    let far_odd = _mm256_mul_ps(two, _mm256_fmadd_ps(four, y3, y1));
    [
        y0,
        _mm256_add_ps(even, odd),
        _mm256_sub_ps(even, odd),
        _mm256_add_ps(far_even, far_odd),
        _mm256_sub_ps(far_even, far_odd),
        y3,
    ]
}
