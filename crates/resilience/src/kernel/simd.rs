//! Eight f32 at once, with AVX2 and FMA.
//!
//! Every function here and below that needs the two instruction sets says so in its
//! `target_feature`; [`super::available`] is asked once before the first of them is called.

use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _CMP_UNORD_Q, _mm256_and_ps, _mm256_and_si256, _mm256_blendv_ps,
    _mm256_castsi256_ps, _mm256_cmp_ps, _mm256_cmpeq_epi32, _mm256_loadu_ps, _mm256_movemask_ps,
    _mm256_or_ps, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_setzero_ps, _mm256_storeu_ps,
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
