//! The operations that are no convolutions.

use std::arch::x86_64::{_mm256_add_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps};

use super::buffer::Aligned;
use super::epilogue::Epilogue;
use super::gemm::Panels;
use super::map::Map;
use super::program::Scale;
use super::simd::{LANES, load, store};

/// Pixels row by row into a map with its margin, normalised where `scale` says how.
pub fn spread(map: &Map, pixels: &[f32], to: &mut [f32], scale: Option<&Scale>) {
    let row = map.width * map.channels;
    for (number, pixels) in pixels.chunks_exact(row).enumerate() {
        let start = number / map.height * map.size() + map.at(number % map.height, 0);
        let to = &mut to[start..start + row];
        let Some(scale) = scale else {
            to.copy_from_slice(pixels);
            continue;
        };
        for (((to, pixel), mean), std) in to.iter_mut().zip(pixels).zip(&scale.mean).zip(&scale.std)
        {
            *to = (pixel - mean) / std;
        }
    }
}

/// Every row of numbers divided by the same ones.
pub fn divide(numbers: &mut [f32], row: &[f32]) {
    for numbers in numbers.chunks_exact_mut(row.len().max(1)) {
        for (number, by) in numbers.iter_mut().zip(row) {
            *number /= by;
        }
    }
}

/// Pixels row by row out of a map with its margin.
pub fn gather(map: &Map, from: &[f32], pixels: &mut [f32]) {
    let row = map.width * map.channels;
    for (number, pixels) in pixels.chunks_exact_mut(row).enumerate() {
        let start = number / map.height * map.size() + map.at(number % map.height, 0);
        pixels.copy_from_slice(&from[start..start + row]);
    }
}

/// A fully connected layer.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn features(
    weights: &Panels,
    images: usize,
    from: &[f32],
    epilogue: &mut Epilogue,
    products: &mut Aligned,
) {
    let columns = weights.columns();
    products.reserve(images * columns);
    weights.multiply(images, from, weights.rows(), products);
    for image in 0..images {
        for channel in (0..columns).step_by(LANES) {
            let value = load(&products[image * columns + channel..]);
            epilogue.put(image, (0, 0), channel, [value]);
        }
    }
}

/// Every channel times its factor. The gradient of that is the same.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn scale(scale: &[f32], images: usize, (map, from): (&Map, &[f32]), epilogue: &mut Epilogue) {
    for image in 0..images {
        for (y, x) in (0..map.height).flat_map(|y| (0..map.width).map(move |x| (y, x))) {
            let pixel = &from[image * map.size() + map.at(y, x)..][..map.channels];
            for channel in (0..map.channels).step_by(LANES) {
                let value = _mm256_mul_ps(load(&pixel[channel..]), load(&scale[channel..]));
                epilogue.put(image, (y, x), channel, [value]);
            }
        }
    }
}

/// Every second pixel, with `before` zero channels in front of its own.
pub fn subsample(
    images: usize,
    (map, from): (&Map, &[f32]),
    before: usize,
    (to_map, to): (&Map, &mut [f32]),
) {
    for_each_pixel(images, to_map, |image, y, x| {
        let start = image * map.size() + map.at(2 * y, 2 * x);
        let out = &mut to[image * to_map.size() + to_map.at(y, x)..][..to_map.channels];
        let known = map.channels.min(out.len() - before);
        out.fill(0.0);
        out[before..before + known].copy_from_slice(&from[start..start + known]);
    });
}

/// The gradient of [`subsample`], added.
pub fn subsample_back(
    images: usize,
    (map, from): (&Map, &[f32]),
    before: usize,
    (to_map, sums): (&Map, &mut [f32]),
) {
    for_each_pixel(images, map, |image, y, x| {
        let start = image * map.size() + map.at(y, x) + before;
        let known = to_map.channels.min(map.channels - before);
        let sums = &mut sums[image * to_map.size() + to_map.at(2 * y, 2 * x)..][..known];
        for (sum, value) in sums.iter_mut().zip(&from[start..start + known]) {
            *sum += value;
        }
    });
}

/// The mean over all pixels.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn average(images: usize, (map, from): (&Map, &[f32]), to: &mut [f32]) {
    let share = _mm256_set1_ps(1.0 / map.pixel_count() as f32);
    for image in 0..images {
        for channel in (0..map.channels).step_by(LANES) {
            let mut sum = _mm256_setzero_ps();
            for (y, x) in (0..map.height).flat_map(|y| (0..map.width).map(move |x| (y, x))) {
                let place = image * map.size() + map.at(y, x) + channel;
                sum = _mm256_add_ps(sum, load(&from[place..]));
            }
            store(&mut to[image * map.channels + channel..], _mm256_mul_ps(sum, share));
        }
    }
}

/// The gradient of [`average`].
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn average_back(images: usize, from: &[f32], epilogue: &mut Epilogue) {
    let to = epilogue.map;
    let share = _mm256_set1_ps(1.0 / to.pixel_count() as f32);
    for image in 0..images {
        for channel in (0..to.channels).step_by(LANES) {
            let value = load(&from[image * to.channels + channel..]);
            let value = _mm256_mul_ps(value, share);
            for (y, x) in (0..to.height).flat_map(|y| (0..to.width).map(move |x| (y, x))) {
                epilogue.put(image, (y, x), channel, [value]);
            }
        }
    }
}

/// The pixels one after the other.
pub fn flatten(images: usize, (map, from): (&Map, &[f32]), to: &mut [f32]) {
    let numbers = images * map.pixel_count() * map.channels;
    gather(map, from, &mut to[..numbers]);
}

/// The gradient of [`flatten`].
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn flatten_back(images: usize, from: &[f32], epilogue: &mut Epilogue) {
    let to = epilogue.map;
    for image in 0..images {
        for (y, x) in (0..to.height).flat_map(|y| (0..to.width).map(move |x| (y, x))) {
            let pixel = (image * to.pixel_count() + y * to.width + x) * to.channels;
            for channel in (0..to.channels).step_by(LANES) {
                epilogue.put(image, (y, x), channel, [load(&from[pixel + channel..])]);
            }
        }
    }
}

/// What is there already, as the beginning of a sum.
pub fn begin_sum(images: usize, epilogue: &mut Epilogue) {
    let to = &mut epilogue.to[..images * epilogue.map.size()];
    match epilogue.add {
        Some(add) => to.copy_from_slice(&add[..to.len()]),
        None => to.fill(0.0),
    }
}

/// Lays the mask of a ReLU over a sum that is complete.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn lay_mask(images: usize, epilogue: &mut Epilogue) {
    epilogue.add = None;
    if matches!(epilogue.relu, super::epilogue::Relu::No) {
        return;
    }
    let map = epilogue.map;
    for image in 0..images {
        for (y, x) in (0..map.height).flat_map(|y| (0..map.width).map(move |x| (y, x))) {
            for channel in (0..map.channels).step_by(LANES) {
                let place = image * map.size() + map.at(y, x) + channel;
                let value = load(&epilogue.to[place..]);
                epilogue.put(image, (y, x), channel, [value]);
            }
        }
    }
}

fn for_each_pixel(images: usize, map: &Map, mut each: impl FnMut(usize, usize, usize)) {
    for image in 0..images {
        for y in 0..map.height {
            for x in 0..map.width {
                each(image, y, x);
            }
        }
    }
}
