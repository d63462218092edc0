//! Eight f32 at once, with AVX2 and FMA.
//!
//! Every function here and below that needs the two instruction sets says so in its
//! `target_feature`; [`super::available`] is asked once before the first of them is called.

use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _CMP_UNORD_Q, _mm256_add_ps, _mm256_and_ps, _mm256_and_si256,
    _mm256_blendv_ps, _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cmpeq_epi32, _mm256_loadu_ps,
    _mm256_movemask_ps, _mm256_or_ps, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_ps,
    _mm256_storeu_ps,
};

/// Numbers in a vector.
pub const LANES: usize = 8;

/// Eight numbers in a register.
pub type V = __m256;

/// The first eight of `from`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn load(from: &[f32]) -> V {
    let [vector] = load_line(from, 0);
    vector
}

/// `N` vectors, each `stride` numbers after the one before.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "one check of the bounds for all, instead of one for each")]
pub fn load_line<const N: usize>(from: &[f32], stride: usize) -> [V; N] {
    let from = &from[..length::<N>(stride)];
    let mut line = [_mm256_setzero_ps(); N];
    for (number, vector) in line.iter_mut().enumerate() {
        // SAFETY: `from` holds eight numbers from there on; no alignment is needed.
        *vector = unsafe { _mm256_loadu_ps(from.as_ptr().add(number * stride)) };
    }
    line
}

/// Writes to the first eight of `to`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn store(to: &mut [f32], value: V) {
    store_line(to, 0, [value]);
}

/// Writes `N` vectors, each `stride` numbers after the one before.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "one check of the bounds for all, instead of one for each")]
pub fn store_line<const N: usize>(to: &mut [f32], stride: usize, line: [V; N]) {
    let to = &mut to[..length::<N>(stride)];
    for (number, vector) in line.into_iter().enumerate() {
        // SAFETY: `to` holds eight numbers from there on; no alignment is needed.
        unsafe { _mm256_storeu_ps(to.as_mut_ptr().add(number * stride), vector) };
    }
}

/// Copies `count` runs of `len` numbers; they begin `from_stride` and `to_stride` after each other.
/// Without the call that long runs are copied by: the last eight of a run overlap.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "one check of the bounds for all, instead of one for each")]
pub fn copy_runs(
    (count, len): (usize, usize),
    (from, from_stride): (&[f32], usize),
    (to, to_stride): (&mut [f32], usize),
) {
    assert!(
        from.len() >= reach(count, len, from_stride) && to.len() >= reach(count, len, to_stride)
    );
    for number in 0..count {
        // SAFETY: `len` numbers lie there on both sides (asserted above); no alignment is needed.
        unsafe {
            let from = from.as_ptr().add(number * from_stride);
            let to = to.as_mut_ptr().add(number * to_stride);
            if len < LANES {
                for place in 0..len {
                    *to.add(place) = *from.add(place);
                }
                continue;
            }
            for place in (0..len - LANES).step_by(LANES) {
                _mm256_storeu_ps(to.add(place), _mm256_loadu_ps(from.add(place)));
            }
            let last = len - LANES;
            _mm256_storeu_ps(to.add(last), _mm256_loadu_ps(from.add(last)));
        }
    }
}

/// Adds `count` runs of `len` numbers to others; they begin `from_stride` and `to_stride` after each
/// other.
#[inline]
#[target_feature(enable = "avx2,fma")]
#[expect(unsafe_code, reason = "one check of the bounds for all, instead of one for each")]
pub fn add_runs(
    (count, len): (usize, usize),
    (from, from_stride): (&[f32], usize),
    (to, to_stride): (&mut [f32], usize),
) {
    assert!(
        from.len() >= reach(count, len, from_stride) && to.len() >= reach(count, len, to_stride)
    );
    for number in 0..count {
        // SAFETY: `len` numbers lie there on both sides (asserted above); no alignment is needed.
        unsafe {
            let from = from.as_ptr().add(number * from_stride);
            let to = to.as_mut_ptr().add(number * to_stride);
            let whole = len / LANES * LANES;
            for place in (0..whole).step_by(LANES) {
                let sum =
                    _mm256_add_ps(_mm256_loadu_ps(to.add(place)), _mm256_loadu_ps(from.add(place)));
                _mm256_storeu_ps(to.add(place), sum);
            }
            for place in whole..len {
                *to.add(place) += *from.add(place);
            }
        }
    }
}

/// Numbers from the first of some runs to the last. Saturating, so that no stride makes it small.
const fn reach(count: usize, len: usize, stride: usize) -> usize {
    count.saturating_sub(1).saturating_mul(stride).saturating_add(len)
}

/// Numbers from the first of `N` vectors to the last. Saturating, so that no stride makes it small.
const fn length<const N: usize>(stride: usize) -> usize {
    (N - 1).saturating_mul(stride).saturating_add(LANES)
}

/// A bit for each number above zero.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn positive(value: V) -> u8 {
    _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(value, _mm256_setzero_ps())) as u8
}

/// The larger of each two numbers, and a bit where that is the other one: not where they are equal,
/// nor where the best is not a number; always where the other is not.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn larger(best: V, other: V) -> (V, u8) {
    let above = _mm256_cmp_ps::<_CMP_GT_OQ>(other, best);
    let above = _mm256_or_ps(above, _mm256_cmp_ps::<_CMP_UNORD_Q>(other, other));
    (_mm256_blendv_ps(best, other, above), _mm256_movemask_ps(above) as u8)
}

/// The numbers whose bit is set, and zero.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn where_set(bits: u8, value: V) -> V {
    let places = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    let bits = _mm256_and_si256(_mm256_set1_epi32(i32::from(bits)), places);
    _mm256_and_ps(value, _mm256_castsi256_ps(_mm256_cmpeq_epi32(bits, places)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a read or a write beyond the end that goes unnoticed, and one at the end that is
    /// refused.
    #[test]
    fn lines_that_are_too_long_are_noticed() {
        if !super::super::available() {
            return;
        }
        let fits = |len: usize, stride: usize| {
            std::panic::catch_unwind(|| {
                let mut numbers = vec![1.0; len];
                // SAFETY: the machine has the instructions.
                #[expect(unsafe_code, reason = "the one way into code for newer processors")]
                unsafe {
                    let line: [V; 3] = load_line(&numbers, stride);
                    store_line(&mut numbers, stride, line);
                }
            })
            .is_ok()
        };
        assert!(fits(24, 8) && fits(28, 10) && fits(8, 0));
        assert!(!fits(23, 8) && !fits(27, 10) && !fits(7, 0) && !fits(0, 8));
        // Twice this is 0 in the arithmetic of a processor.
        assert!(!fits(24, usize::MAX / 2 + 1));
    }

    /// Would catch a number that is left out, taken from the wrong run or written beside it, and runs
    /// that are read or written beyond the end.
    #[test]
    fn runs_of_any_length_are_copied_and_added() {
        if !super::super::available() {
            return;
        }
        let copied = |count: usize, len: usize, strides: [usize; 2], short: usize, add: bool| {
            let size = |stride: usize| (count.max(1) - 1) * stride + len;
            let from: Vec<_> = (0..size(strides[0]) - short).map(|place| place as f32).collect();
            let mut to = vec![-1.0; size(strides[1])];
            // SAFETY: the machine has the instructions.
            #[expect(unsafe_code, reason = "the one way into code for newer processors")]
            unsafe {
                if add {
                    add_runs((count, len), (&from, strides[0]), (&mut to, strides[1]));
                } else {
                    copy_runs((count, len), (&from, strides[0]), (&mut to, strides[1]));
                }
            }
            to
        };
        for (count, len) in (0..4).flat_map(|count| (0..30).map(move |len| (count, len))) {
            for strides in [[len, len], [3, len + 2], [len + 5, len]] {
                let added = copied(count, len, strides, 0, true);
                let copied = copied(count, len, strides, 0, false);
                for (place, (copied, added)) in copied.into_iter().zip(added).enumerate() {
                    let (run, inside) = (place / strides[1].max(1), place % strides[1].max(1));
                    let number = (run * strides[0] + inside) as f32;
                    let known = run < count && inside < len;
                    let expected = if known { (number, number - 1.0) } else { (-1.0, -1.0) };
                    let what = format!("{count} runs of {len}, {strides:?}");
                    assert_eq!(
                        (copied.to_bits(), added.to_bits()),
                        (expected.0.to_bits(), expected.1.to_bits()),
                        "{what}"
                    );
                }
            }
        }
        for add in [false, true] {
            assert!(std::panic::catch_unwind(|| copied(3, 9, [9, 9], 1, add)).is_err());
        }
    }

    /// Would catch bits that are taken in another order than they are given.
    #[test]
    fn bits_choose_their_numbers() {
        if !super::super::available() {
            return;
        }
        let numbers = [1.0, -2.0, 0.0, 4.0, -0.0, 6.0, f32::NAN, 8.0];
        let mut chosen = [f32::NAN; 8];
        // SAFETY: the machine has the instructions.
        #[expect(unsafe_code, reason = "the one way into code for newer processors")]
        unsafe {
            let vector = load(&numbers);
            assert_eq!(positive(vector), 0b1010_1001);
            store(&mut chosen, where_set(0b1010_0010, vector));
        }
        assert_eq!(
            chosen.map(f32::to_bits),
            [0.0, -2.0, 0.0, 0.0, 0.0, 6.0, 0.0, 8.0].map(f32::to_bits)
        );
    }
}
