//! Sums of outer products over pixels or images: what the gradient of weights is made of.
//!
//! Sums lie as the right sides of products do (`gemm`): in panels of sixteen columns (the last one of
//! eight where that is enough), row by row, so that they are read and written one after the other.

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps,
};

use super::buffer::Aligned;
use super::gemm::WIDE;
use super::simd::{LANES, copy_runs, load, load_line, store, store_line};

/// Rows further apart are copied side by side first: those a power of two apart would share their
/// places in the cache.
const NEAR: usize = 256;

/// Rows of numbers, of which each begins `stride` after the one before.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The numbers.
    pub numbers: &'a [f32],
    /// From one row to the next.
    pub stride: usize,
    /// Numbers of a row that are looked at.
    pub width: usize,
}

/// Where the sum of a row and a column lies, of `[rows, columns]`.
pub const fn place(rows: usize, columns: usize, row: usize, column: usize) -> usize {
    let first = column / WIDE * WIDE;
    let width = if columns - first >= WIDE { WIDE } else { LANES };
    first * rows + row * width + column - first
}

/// Adds `left^T right` to `sums`: `[k, m]` x `[k, n]` -> `[m, n]`, with n a multiple of eight. Every
/// sum runs over k from first to last, and is added as a whole.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn add(k: usize, left: Rows, right: Rows, sums: &mut [f32], panel: &mut Aligned) {
    for first in (0..right.width).step_by(WIDE) {
        let wide = right.width - first >= WIDE;
        let width = if wide { WIDE } else { LANES };
        let (mut numbers, mut pitch) = (&right.numbers[first..], right.stride);
        if pitch > NEAR {
            panel.reserve(k * WIDE);
            copy_runs((k, width), (numbers, pitch), (&mut *panel, width));
            (numbers, pitch) = (&**panel, width);
        }
        let mut row = 0;
        while row < left.width {
            let sides = Sides {
                k,
                left: &left.numbers[row..],
                stride: left.stride,
                right: numbers,
                pitch,
                sums: &mut sums[first * left.width + row * width..],
            };
            let rows = left.width - row;
            row += if wide { block::<2>(rows, sides) } else { block::<1>(rows, sides) };
        }
    }
}

/// Adds up rows of numbers, eight by eight.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn add_rows(k: usize, rows: Rows, sums: &mut [f32]) {
    for first in (0..rows.width).step_by(LANES) {
        let mut sum = _mm256_setzero_ps();
        for step in 0..k {
            sum = _mm256_add_ps(sum, load(&rows.numbers[step * rows.stride + first..]));
        }
        let sum = _mm256_add_ps(load(&sums[first..]), sum);
        store(&mut sums[first..], sum);
    }
}

/// What a block of sums is computed from, and where it goes.
struct Sides<'a> {
    k: usize,
    left: &'a [f32],
    stride: usize,
    right: &'a [f32],
    pitch: usize,
    sums: &'a mut [f32],
}

/// The next rows, as many as fit; gives their number.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn block<const W: usize>(rows: usize, sides: Sides) -> usize {
    match rows {
        1 => tile::<1, W>(sides),
        2 => tile::<2, W>(sides),
        3 => tile::<3, W>(sides),
        // Four and four are faster than six and two.
        4 | 8 => tile::<4, W>(sides),
        5 => tile::<5, W>(sides),
        _ => tile::<6, W>(sides),
    }
}

/// `R` rows of `W` vectors, summed in registers.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "a bounds check for each of six loads would cost a quarter")]
fn tile<const R: usize, const W: usize>(sides: Sides) -> usize {
    let Sides { k, left, stride, right, pitch, sums: out } = sides;
    // Saturating, so that no stride makes it small.
    let needed =
        |stride: usize, row: usize| k.saturating_sub(1).saturating_mul(stride).saturating_add(row);
    assert!(left.len() >= needed(stride, R) && right.len() >= needed(pitch, W * LANES));
    let mut sums = [[_mm256_setzero_ps(); W]; R];
    for step in 0..k {
        // SAFETY: `left` holds R numbers and `right` W vectors from each of k rows (asserted above).
        unsafe {
            let row = right.as_ptr().add(step * pitch);
            let mut vectors = [_mm256_setzero_ps(); W];
            for (w, vector) in vectors.iter_mut().enumerate() {
                *vector = _mm256_loadu_ps(row.add(w * LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let number = _mm256_broadcast_ss(&*left.as_ptr().add(step * stride + r));
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = _mm256_fmadd_ps(number, vector, *sum);
                }
            }
        }
    }
    for (out, sums) in out.chunks_exact_mut(W * LANES).zip(sums) {
        let mut before: [_; W] = load_line(out, LANES);
        for (before, sum) in before.iter_mut().zip(sums) {
            *before = _mm256_add_ps(*before, sum);
        }
        store_line(out, LANES, before);
    }
    R
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a row or a column that is left out, counted twice or written over, for every
    /// number of rows that a block can be left with, a read beyond the end of either side, and sums
    /// that forget what was there.
    #[test]
    fn sums_of_any_size_are_right() {
        if !super::super::available() {
            return;
        }
        let number = |place: usize, of: usize| (place * 7 % of) as f32 - 3.0;
        for (k, m) in [1, 2, 5].into_iter().flat_map(|k| (1..20).map(move |m| (k, m))) {
            for (n, gap) in [(8, 0), (16, 3), (24, 0), (40, 1), (24, NEAR)] {
                let (wide, broad) = (m + gap, n + gap);
                let left: Vec<_> = (0..(k - 1) * wide + m).map(|p| number(p, 5)).collect();
                let right: Vec<_> = (0..(k - 1) * broad + n).map(|p| number(p, 11)).collect();
                let mut sums: Vec<_> = (0..m * n).map(|p| number(p, 3)).collect();
                let mut rows: Vec<_> = (0..n).map(|p| number(p, 3)).collect();
                let left_rows = Rows { numbers: &left, stride: wide, width: m };
                let right_rows = Rows { numbers: &right, stride: broad, width: n };
                // SAFETY: the machine has the instructions.
                #[expect(unsafe_code, reason = "the one way into code for newer processors")]
                unsafe {
                    add(k, left_rows, right_rows, &mut sums, &mut Aligned::default());
                    add_rows(k, right_rows, &mut rows);
                }
                // Small whole numbers, so that every sum is exact.
                for (row, column) in (0..m).flat_map(|row| (0..n).map(move |column| (row, column)))
                {
                    let term = |step: usize| left[step * wide + row] * right[step * broad + column];
                    let place = place(m, n, row, column);
                    let (found, sum) =
                        (sums[place], number(place, 3) + (0..k).map(term).sum::<f32>());
                    assert!((found - sum).abs() == 0.0, "{k} x {m} x {n}: {found}, not {sum}");
                }
                for (column, found) in rows.into_iter().enumerate() {
                    let term = |step: usize| right[step * broad + column];
                    let sum = number(column, 3) + (0..k).map(term).sum::<f32>();
                    assert!((found - sum).abs() == 0.0, "{k} rows of {n}: {found}, not {sum}");
                }
            }
        }
    }
}
