//! What happens to the values that a product gives on their way into memory: a bias, another tensor
//! added, ReLU or, for gradients, the mask of an earlier ReLU.

use std::arch::x86_64::{_mm256_add_ps, _mm256_max_ps, _mm256_setzero_ps};

use super::map::Map;
use super::simd::{LANES, V, load, load_line, positive, store_line, where_set};

/// Where values go and what is done to them first.
pub struct Epilogue<'a> {
    /// How they lie there.
    pub map: Map,
    /// Added to every pixel, a number for each channel.
    pub bias: Option<&'a [f32]>,
    /// Added, value by value; it lies as the result does.
    pub add: Option<&'a [f32]>,
    /// What ReLU does.
    pub relu: Relu<'a>,
    /// Where they go.
    pub to: &'a mut [f32],
}

/// What ReLU does to the values.
pub enum Relu<'a> {
    /// Nothing.
    No,
    /// Cuts them at zero.
    Cut,
    /// Cuts them at zero, and writes down which were above.
    Forward(&'a mut [u8]),
    /// Lets those through that were above.
    Backward(&'a [u8]),
}

impl Epilogue<'_> {
    /// Takes eight channels of `N` pixels beside each other, of which the first is given.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn put<const N: usize>(
        &mut self,
        image: usize,
        (y, x): (usize, usize),
        channel: usize,
        mut line: [V; N],
    ) {
        let stride = self.map.channels;
        let place = image * self.map.size() + self.map.at(y, x) + channel;
        if let Some(bias) = self.bias {
            let bias = load(&bias[channel..]);
            for value in &mut line {
                *value = _mm256_add_ps(*value, bias);
            }
        }
        if let Some(add) = self.add {
            let add: [V; N] = load_line(&add[place..], stride);
            for (value, add) in line.iter_mut().zip(add) {
                *value = _mm256_add_ps(*value, add);
            }
        }
        let vectors = stride / LANES;
        let bits = image * self.map.mask() + self.map.mask_at(y, x) + channel / LANES;
        // In this order of the two not a number stays what it is.
        let cut = |value: &mut V| *value = _mm256_max_ps(_mm256_setzero_ps(), *value);
        match &mut self.relu {
            Relu::No => {}
            Relu::Cut => line.iter_mut().for_each(cut),
            Relu::Forward(mask) => {
                let mask = &mut mask[bits..=bits + (N - 1) * vectors];
                for (number, value) in line.iter_mut().enumerate() {
                    mask[number * vectors] = positive(*value);
                    cut(value);
                }
            }
            Relu::Backward(mask) => {
                let mask = &mask[bits..=bits + (N - 1) * vectors];
                for (number, value) in line.iter_mut().enumerate() {
                    *value = where_set(mask[number * vectors], *value);
                }
            }
        }
        store_line(&mut self.to[place..], stride, line);
    }
}
