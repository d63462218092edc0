//! Convolutions of any window, by laying the pixels that an output sees side by side and multiplying.

use super::buffer::Aligned;
use super::epilogue::Epilogue;
use super::gemm::Panels;
use super::map::Map;
use super::outer::{self, Rows};
use super::pool::{self, Choice};
use super::simd::{LANES, add_runs, copy_runs, load};
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
    pub(super) panel: Aligned,
}

impl Patches {
    /// Packs kernels of `inputs` to `outputs` channels; `at(output, input, y, x)` gives their
    /// numbers. `stored` says how many channels the input has in memory, with those filled up.
    pub fn new(
        window: Window,
        [inputs, outputs]: [usize; 2],
        stored: usize,
        at: impl Fn(usize, usize, usize, usize) -> f32 + Sync,
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

    /// Convolves so many images that lie one after the other; with `choices` the results, which then
    /// lie as `pooled` says, go through max pooling.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn convolve(
        &self,
        images: usize,
        (from, values): (&Map, &[f32]),
        epilogue: &mut Epilogue,
        (pooled, choices): (Option<Map>, &mut [[u8; 2]]),
        scratch: &mut Scratch,
    ) {
        let (length, columns) = (self.forward.rows(), self.forward.columns());
        let map = pooled.unwrap_or(epilogue.map);
        let (lines, line) = (1 + usize::from(pooled.is_some()), map.width * columns);
        scratch.reserve(lines * map.width, length, columns);
        for image in 0..images {
            let values = &values[image * from.size()..][..from.size()];
            for y in 0..map.height / lines {
                self.lay((y * lines, lines), map.width, (from, values), &mut scratch.patches);
                let out = &mut scratch.products;
                self.forward.multiply(lines * map.width, &scratch.patches, length, out);
                if pooled.is_some() {
                    let lines = [&out[..line], &out[line..]];
                    pool::pool_lines(lines, (image, y), epilogue, choices);
                    continue;
                }
                for x in 0..map.width {
                    for channel in (0..columns).step_by(LANES) {
                        let value = load(&out[x * columns + channel..]);
                        epilogue.put(image, (y, x), channel, [value]);
                    }
                }
            }
        }
    }

    /// Lays side by side what the outputs of some lines of an image see.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn lay(
        &self,
        (first, lines): (usize, usize),
        width: usize,
        (from, values): (&Map, &[f32]),
        patches: &mut [f32],
    ) {
        let Window { size, stride, padding } = self.window;
        let (size, stride, padding) = (size as usize, stride as usize, padding as usize);
        let (run, length) = (size * from.channels, self.forward.rows());
        for (line, down) in (0..lines).flat_map(|line| (0..size).map(move |down| (line, down))) {
            let start = from.window((first + line) * stride + down, 0, padding);
            copy_runs(
                (width, run),
                (&values[start..], stride * from.channels),
                (&mut patches[line * width * length + down * run..], length),
            );
        }
    }

    /// Numbers of the sums that [`Patches::add_gradient`] adds to: `[size size inputs, outputs]`.
    pub fn sums(&self) -> usize {
        self.forward.rows() * self.forward.columns()
    }

    /// Pixels of a kernel.
    pub const fn pixels(&self) -> usize {
        (self.window.size * self.window.size) as usize
    }

    /// The gradient of a kernel's number at a pixel and an input channel, from such sums.
    pub fn number(&self, sums: &[f32], (pixel, input): (usize, usize), output: usize) -> f32 {
        let (rows, columns) = (self.forward.rows(), self.forward.columns());
        sums[outer::place(rows, columns, pixel * (rows / self.pixels()) + input, output)]
    }

    /// Adds the gradient of the kernels over so many images, of which `from` are the inputs and
    /// `gradient` that of the outputs.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn add_gradient(
        &self,
        images: usize,
        (from, values): (&Map, &[f32]),
        gradient: &Gradient,
        sums: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let (length, map) = (self.forward.rows(), gradient.map());
        let lines = gradient.lines();
        scratch.reserve(lines * map.width, length, map.channels);
        for image in 0..images {
            let values = &values[image * from.size()..][..from.size()];
            for y in (0..map.height).step_by(lines) {
                self.lay((y, lines), map.width, (from, values), &mut scratch.patches);
                let numbers = gradient.at((image, y), &mut scratch.products);
                let left = Rows { numbers: &scratch.patches, stride: length, width: length };
                let right = Rows { numbers, stride: map.channels, width: map.channels };
                outer::add(lines * map.width, left, right, sums, &mut scratch.panel);
            }
        }
    }

    /// Adds the gradient of so many images' inputs, of which the outputs' is `gradient`.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn scatter(
        &self,
        images: usize,
        gradient: &Gradient,
        (to, sums): (&Map, &mut [f32]),
        scratch: &mut Scratch,
    ) {
        let Window { size, stride, padding } = self.window;
        let (columns, map, lines) = (self.backward.columns(), gradient.map(), gradient.lines());
        let (channels, step, pad) = (to.channels, stride as usize, padding as usize);
        let (run, apart) = (size as usize * channels, (size as usize).div_ceil(step));
        let fitting = (to.width + pad).checked_sub(size as usize).map_or(0, |room| room / step + 1);
        let begin = pad.div_ceil(step);
        let whole = begin..fitting.min(map.width).max(begin);
        scratch.reserve(lines * map.width, columns, map.channels);
        for image in 0..images {
            let sums = &mut sums[image * to.size()..][..to.size()];
            for y in (0..map.height).step_by(lines) {
                let numbers = gradient.at((image, y), &mut scratch.products);
                let out = &mut scratch.patches;
                self.backward.multiply(lines * map.width, numbers, map.channels, out);
                for (line, down) in (0..lines).flat_map(|l| (0..size).map(move |down| (l, down))) {
                    let row = (y + line) as i64 * stride + down - padding;
                    let Some(row) = inside(row, to.height) else { continue };
                    // What a row of the kernel saw of the image lies side by side. Those that the
                    // image has whole are added, `apart` from each other, so that none waits for the
                    // one before it; then what is left of the others.
                    let part = &scratch.patches[line * map.width * columns..];
                    let seen = down as usize * run;
                    for x in (whole.start..whole.end).take(apart) {
                        let to = &mut sums[to.at(row, x * step - pad)..];
                        let count = (whole.end - x).div_ceil(apart);
                        let from = &part[x * columns + seen..];
                        add_runs(
                            (count, run),
                            (from, apart * columns),
                            (to, apart * step * channels),
                        );
                    }
                    for x in (0..whole.start).chain(whole.end..map.width) {
                        let left = x as i64 * stride - padding;
                        let first = (-left).max(0);
                        let end = size.min(to.width as i64 - left);
                        let Some(column) = inside(left + first, to.width) else { continue };
                        let from = &part[x * columns + seen + first as usize * channels..];
                        let to = &mut sums[to.at(row, column)..];
                        add_runs((1, (end - first).max(0) as usize * channels), (from, 0), (to, 0));
                    }
                }
            }
        }
    }
}

impl Scratch {
    /// Has memory for so many pixels of patches and of products.
    fn reserve(&mut self, pixels: usize, patch: usize, channels: usize) {
        self.patches.reserve(pixels * patch);
        self.products.reserve(pixels * channels);
    }
}

/// The gradient of a convolution's results.
#[derive(Clone, Copy, Debug)]
pub enum Gradient<'a> {
    /// As it lies in memory.
    Plain(Map, &'a [f32]),
    /// Before max pooling, of which the second one's gradient is known.
    Pooled(Map, (Map, &'a [f32]), Choice<'a>),
}

impl<'a> Gradient<'a> {
    /// From that of what a convolution wrote: where it is `pooled`, of the pool's results.
    pub const fn new(
        pooled: Option<Map>,
        (map, numbers): (&Map, &'a [f32]),
        choice: Choice<'a>,
    ) -> Self {
        match pooled {
            Some(before) => Self::Pooled(before, (*map, numbers), choice),
            None => Self::Plain(*map, numbers),
        }
    }

    /// How the convolution's results lie.
    const fn map(&self) -> Map {
        let (Self::Plain(map, _) | Self::Pooled(map, ..)) = self;
        *map
    }

    /// Lines of pixels that are looked at together.
    const fn lines(&self) -> usize {
        match self {
            Self::Plain(..) => 1,
            Self::Pooled(..) => 2,
        }
    }

    /// Those of an image from row `y` on, pixel by pixel.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn at<'b>(&'b self, (image, y): (usize, usize), scratch: &'b mut [f32]) -> &'b [f32] {
        match self {
            Self::Plain(map, numbers) => &numbers[image * map.size() + map.at(y, 0)..],
            Self::Pooled(_, (map, numbers), choice) => {
                pool::unpool_lines((map, numbers), *choice, (image, y / 2), scratch);
                scratch
            }
        }
    }
}

/// A place on a side of that length, where it is one.
fn inside(place: i64, length: usize) -> Option<usize> {
    usize::try_from(place).ok().filter(|&place| place < length)
}
