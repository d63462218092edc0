//! Matrix products with a right side that was packed beforehand.
//!
//! The right side lies in panels of sixteen columns (the last one of eight where that is enough),
//! row by row, filled up with zeros. A block of six rows and sixteen columns is summed in registers:
//! each step takes two vectors of the panel and six numbers of the rows. Every sum runs over k from
//! first to last, so that it is the same to the bit whatever rows stand beside it.

use std::arch::x86_64::{_mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps};

use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSliceMut};

use super::buffer::Aligned;
use super::simd::{LANES, store_line};
use crate::threads::shared;

/// Columns of a whole panel.
pub const WIDE: usize = 2 * LANES;
/// So many numbers one thread packs before others have begun.
const ALONE: usize = 64 * 1024;

/// The right side of products, `[k, n]`.
#[derive(Debug)]
pub struct Panels {
    k: usize,
    columns: usize,
    data: Aligned,
}

impl Panels {
    /// Packs `[k, n]`, of which `at(row, column)` gives the numbers.
    pub fn pack(k: usize, n: usize, at: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        let columns = n.next_multiple_of(LANES);
        let mut data = Aligned::zeros(k * columns);
        let pack = |(number, panel): (usize, &mut [f32])| {
            let first = number * WIDE;
            let width = WIDE.min(columns - first);
            for (row, numbers) in panel.chunks_exact_mut(width).enumerate() {
                for (column, number) in (first..n).zip(numbers) {
                    *number = at(row, column);
                }
            }
        };
        if k * columns < ALONE {
            data.chunks_mut((k * WIDE).max(1)).enumerate().for_each(pack);
        } else {
            shared(|| data.par_chunks_mut(k * WIDE).enumerate().for_each(pack));
        }
        Self { k, columns, data }
    }

    /// n, rounded up to whole vectors.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// k.
    pub const fn rows(&self) -> usize {
        self.k
    }

    /// `[rows, k]` x `[k, n]` -> `[rows, columns]`. A row of `left` begins every `stride` numbers,
    /// one of `out` every `columns`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn multiply(&self, rows: usize, left: &[f32], stride: usize, out: &mut [f32]) {
        let mut place = 0;
        for (first, width) in panels(self.columns) {
            let panel = &self.data[place..place + self.k * width];
            let mut row = 0;
            while row < rows {
                let sides = Sides {
                    k: self.k,
                    left: &left[row * stride..],
                    stride,
                    panel,
                    out: &mut out[row * self.columns + first..],
                    columns: self.columns,
                };
                row += if width == WIDE {
                    block::<2>(rows - row, sides)
                } else {
                    block::<1>(rows - row, sides)
                };
            }
            place += self.k * width;
        }
    }
}

/// What a block of a product is computed from, and where it goes.
struct Sides<'a> {
    k: usize,
    left: &'a [f32],
    stride: usize,
    panel: &'a [f32],
    out: &'a mut [f32],
    columns: usize,
}

/// First column and width of each panel.
fn panels(columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..columns).step_by(WIDE).map(move |first| (first, WIDE.min(columns - first)))
}

/// The next rows of a product, as many as fit; gives their number.
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
        _ if W == 1 && rows >= 12 => tile::<12, W>(sides),
        _ => tile::<6, W>(sides),
    }
}

/// `R` rows of `W` vectors of a product, summed in registers.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "a bounds check for each of six loads would cost a quarter")]
fn tile<const R: usize, const W: usize>(sides: Sides) -> usize {
    let Sides { k, left, stride, panel, out, columns } = sides;
    // Saturating, so that no stride makes it small.
    let needed = (R - 1).saturating_mul(stride).saturating_add(k);
    assert!(left.len() >= needed && panel.len() / (W * LANES) >= k);
    let mut sums = [[_mm256_setzero_ps(); W]; R];
    for step in 0..k {
        // SAFETY: the panel holds k rows of W vectors, `left` R rows of k numbers (asserted above).
        unsafe {
            let row = panel.as_ptr().add(step * W * LANES);
            let mut right = [_mm256_setzero_ps(); W];
            for (w, right) in right.iter_mut().enumerate() {
                *right = _mm256_loadu_ps(row.add(w * LANES));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let number = _mm256_broadcast_ss(&*left.as_ptr().add(r * stride + step));
                for (sum, right) in sums.iter_mut().zip(right) {
                    *sum = _mm256_fmadd_ps(number, right, *sum);
                }
            }
        }
    }
    for (r, sums) in sums.into_iter().enumerate() {
        store_line(&mut out[r * columns..], LANES, sums);
    }
    R
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a row or a column that is left out or written over, for every number of rows
    /// that a block can be left with, and a read beyond the end of either side: no number is there
    /// that is not needed.
    #[test]
    fn products_of_any_size_are_right() {
        if !super::super::available() {
            return;
        }
        for (k, n) in [1, 2, 7, 30].into_iter().flat_map(|k| [1, 8, 9, 16, 40].map(|n| (k, n))) {
            // Small whole numbers, so that every sum is exact.
            let right = |row: usize, column: usize| ((3 * row + 5 * column) % 7) as f32 - 3.0;
            let panels = Panels::pack(k, n, right);
            let columns = n.next_multiple_of(LANES);
            assert_eq!((panels.rows(), panels.columns()), (k, columns));
            for (rows, stride) in (0..20).flat_map(|rows| [(rows, k), (rows, k + 3)]) {
                let len = rows.min(1) * k + rows.saturating_sub(1) * stride;
                let left: Vec<_> = (0..len).map(|place| (place % 5) as f32 - 2.0).collect();
                let mut out = vec![f32::NAN; rows * columns];
                // SAFETY: the machine has the instructions.
                #[expect(unsafe_code, reason = "the one way into code for newer processors")]
                unsafe {
                    panels.multiply(rows, &left, stride, &mut out);
                }
                for (place, found) in out.into_iter().enumerate() {
                    let (row, column) = (place / columns, place % columns);
                    let term = |step: usize| left[row * stride + step] * right(step, column);
                    let sum: f32 = if column < n { (0..k).map(term).sum() } else { 0.0 };
                    assert!((found - sum).abs() == 0.0, "{rows} x {k} x {n}: {found}, not {sum}");
                }
            }
        }
    }

    /// Would catch a read beyond the end that goes unnoticed.
    #[test]
    fn sides_that_are_too_short_are_noticed() {
        if !super::super::available() {
            return;
        }
        let panels = Panels::pack(4, 16, |_, _| 1.0);
        for (rows, left, stride) in [(2, 7, 4), (6, 23, 4), (3, 12, usize::MAX / 2 + 1)] {
            let product = || {
                let mut out = vec![0.0; 6 * 16];
                // SAFETY: the machine has the instructions.
                #[expect(unsafe_code, reason = "the one way into code for newer processors")]
                unsafe {
                    panels.multiply(rows, &vec![1.0; left], stride, &mut out);
                }
            };
            assert!(std::panic::catch_unwind(product).is_err(), "{rows} rows of {left} numbers");
        }
    }
}
