//! Convolutions of any window, by laying the pixels that an output sees side by side and multiplying.

use super::buffer::Aligned;
use super::epilogue::Epilogue;
use super::gemm::Panels;
use super::map::Map;
use super::simd::{LANES, load};
use crate::layer::Window;

/// The kernels of a convolution, and the same turned over for its gradient.
#[derive(Debug)]
pub struct Patches {
    window: Window,
    forward: Panels,  // [size size inputs, outputs]
    backward: Panels, // [outputs, size size inputs]
}

/// Memory for the patches of a row of outputs.
#[derive(Debug, Default)]
pub struct Scratch {
    patches: Aligned,
    pub(super) products: Aligned,
}

impl Patches {
    /// Packs kernels of `inputs` to `outputs` channels; `at(output, input, y, x)` gives their
    /// numbers. `stored` says how many channels the input has in memory, with those filled up.
    pub fn new(
        window: Window,
        [inputs, outputs]: [usize; 2],
        stored: usize,
        at: impl Fn(usize, usize, usize, usize) -> f32,
    ) -> Self {
        let size = window.size as usize;
        let length = size * size * stored;
        let weight = |seen: usize, output: usize| {
            let (pixel, input) = (seen / stored, seen % stored);
            let known = input < inputs && output < outputs;
            if known { at(output, input, pixel / size, pixel % size) } else { 0.0 }
        };
        let columns = outputs.next_multiple_of(LANES);
        Self {
            window,
            forward: Panels::pack(length, outputs, weight),
            backward: Panels::pack(columns, length, |output, seen| weight(seen, output)),
        }
    }

    /// Convolves so many images that lie one after the other.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn convolve(
        &self,
        images: usize,
        (from, values): (&Map, &[f32]),
        epilogue: &mut Epilogue,
        scratch: &mut Scratch,
    ) {
        let Window { size, stride, padding } = self.window;
        let (size, stride, padding) = (size as usize, stride as usize, padding as usize);
        let (run, length, columns) =
            (size * from.channels, self.forward.rows(), self.forward.columns());
        let to = epilogue.map;
        scratch.patches.reserve(to.width * length);
        scratch.products.reserve(to.width * columns);
        for image in 0..images {
            let values = &values[image * from.size()..][..from.size()];
            for y in 0..to.height {
                for x in 0..to.width {
                    let start = from.window(y * stride, x * stride, padding);
                    for down in 0..size {
                        let place = x * length + down * run;
                        scratch.patches[place..place + run]
                            .copy_from_slice(&values[start + down * from.row()..][..run]);
                    }
                }
                let out = &mut scratch.products;
                self.forward.multiply(to.width, &scratch.patches, length, out);
                for x in 0..to.width {
                    for channel in (0..columns).step_by(LANES) {
                        let value = load(&scratch.products[x * columns + channel..]);
                        epilogue.put(image, (y, x), channel, [value]);
                    }
                }
            }
        }
    }

    /// Adds the gradient of so many images' inputs, of which the outputs' is `gradient`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn scatter(
        &self,
        images: usize,
        (from, gradient): (&Map, &[f32]),
        (to, sums): (&Map, &mut [f32]),
        scratch: &mut Scratch,
    ) {
        let Window { size, stride, padding } = self.window;
        let columns = self.backward.columns();
        scratch.products.reserve(from.width * columns);
        for image in 0..images {
            let sums = &mut sums[image * to.size()..][..to.size()];
            for y in 0..from.height {
                let row = &gradient[image * from.size() + from.at(y, 0)..];
                self.backward.multiply(from.width, row, from.channels, &mut scratch.products);
                for x in 0..from.width {
                    let products = &scratch.products[x * columns..][..columns];
                    let mut kernel = products.chunks_exact(to.channels);
                    for (down, along) in (0..size * size).map(|k| (k / size, k % size)) {
                        let Some(part) = kernel.next() else { break };
                        let seen = |at: usize, offset: i64, limit: usize| {
                            let place = at as i64 * stride + offset - padding;
                            usize::try_from(place).ok().filter(|&place| place < limit)
                        };
                        let places = seen(y, down, to.height).zip(seen(x, along, to.width));
                        let Some((y, x)) = places else { continue };
                        let sums = &mut sums[to.at(y, x)..][..to.channels];
                        for (sum, value) in sums.iter_mut().zip(part) {
                            *sum += value;
                        }
                    }
                }
            }
        }
    }
}
