//! Random horizontal flip, rotation and crop of training images, on the pixels of the data set.
//!
//! Rotation follows torchvision's `rotate` on tensors: about the centre of the image,
//! counter-clockwise for positive angles, black outside, nearest neighbour by default. The crop shifts what has been turned; without a
//! rotation it is that of the padded image.

use rand_chacha::ChaCha8Rng;
use resilience_core::dataset::{Image, Images};
use resilience_core::method::{Augmentation, Interpolation};

use crate::error::EngineError;
use crate::rng;

/// One drawn transformation.
#[derive(Clone, Copy, Debug)]
pub struct Transform {
    /// Whether to mirror first.
    pub flip: bool,
    /// Then turn by so many degrees, counter-clockwise.
    pub degrees: f64,
    /// Then take the pixel so many columns to the right and rows below.
    pub shift: [i32; 2],
}

/// Draws what happens to one image.
pub fn draw(augmentation: Augmentation, rng: &mut ChaCha8Rng) -> Transform {
    let Augmentation { flip, crop, rotation, .. } = augmentation;
    let (coin, angle) = (rng::uniform(rng), rng::uniform(rng));
    // Drawn last, and only where it is wanted, so that it changes nothing else.
    let mut shift = || match crop {
        0 => 0,
        crop => rng::below(rng, 2 * u64::from(crop) + 1) as i32 - crop as i32,
    };
    let shift = [shift(), shift()];
    Transform { flip: flip && coin < 0.5, degrees: (2.0 * angle - 1.0) * rotation, shift }
}

/// Writes image `row` of `images`, transformed, into `out`: pixels in [0, 1], row by row with the
/// channels of a pixel side by side.
pub fn transform(
    images: &Images,
    row: usize,
    transform: Transform,
    interpolation: Interpolation,
    out: &mut [f32],
) -> Result<(), EngineError> {
    let (size, flip) = (images.shape(), transform.flip);
    match images.image(row)? {
        Image::Bytes(image) => {
            turn(&View { image: &image[..], size, flip }, transform, interpolation, out);
        }
        Image::Floats(image) => {
            turn(&View { image: &image[..], size, flip }, transform, interpolation, out);
        }
    }
    Ok(())
}

/// Turns and shifts what is perhaps seen in a mirror.
fn turn<T: Level>(
    view: &View<'_, T>,
    transform: Transform,
    interpolation: Interpolation,
    out: &mut [f32],
) {
    let [c, h, w] = view.size;
    let (sin, cos) = transform.degrees.to_radians().sin_cos();
    let (sin, cos) = (sin as f32, cos as f32);
    let (half_w, half_h) = (w as f32 / 2.0, h as f32 / 2.0);
    let [right, down] = transform.shift.map(|pixels| pixels as f32);
    for (y, line) in out.chunks_exact_mut(w * c).enumerate() {
        let dy = y as f32 + down + 0.5 - half_h;
        for (x, pixel) in line.chunks_exact_mut(c).enumerate() {
            let dx = x as f32 + right + 0.5 - half_w;
            let from_x = cos * dx - sin * dy + half_w - 0.5;
            let from_y = sin * dx + cos * dy + half_h - 0.5;
            match interpolation {
                Interpolation::Nearest => view.nearest(from_x, from_y, pixel),
                Interpolation::Bilinear => view.bilinear(from_x, from_y, pixel),
            }
        }
    }
}

/// A pixel's value in one channel.
trait Level: Copy {
    /// From 0 to 1.
    fn level(self) -> f32;

    /// The weight times that.
    fn weighted(self, weight: f32) -> f32;
}

impl Level for u8 {
    fn level(self) -> f32 {
        f32::from(self) / 255.0
    }

    // Not the level times the weight, which rounds otherwise.
    fn weighted(self, weight: f32) -> f32 {
        weight * f32::from(self) / 255.0
    }
}

impl Level for f32 {
    fn level(self) -> f32 {
        self
    }

    fn weighted(self, weight: f32) -> f32 {
        weight * self
    }
}

/// An image, perhaps seen in a mirror.
struct View<'a, T> {
    image: &'a [T],
    size: [usize; 3],
    flip: bool,
}

impl<T: Level> View<'_, T> {
    /// Place of the pixel at column `x` and row `y` in the first channel; none outside the image.
    fn place(&self, x: i32, y: i32) -> Option<usize> {
        let [_, h, w] = self.size;
        // A negative number becomes one that is far too large.
        let (x, y) = (x as usize, y as usize);
        (x < w && y < h).then(|| y * w + if self.flip { w - 1 - x } else { x })
    }

    fn nearest(&self, x: f32, y: f32, pixel: &mut [f32]) {
        let [_, h, w] = self.size;
        let Some(place) = self.place(round(x), round(y)) else {
            pixel.fill(0.0);
            return;
        };
        for (value, plane) in pixel.iter_mut().zip(self.image.chunks_exact(h * w)) {
            *value = plane[place].level();
        }
    }

    fn bilinear(&self, x: f32, y: f32, pixel: &mut [f32]) {
        let [_, h, w] = self.size;
        let (left, top) = (x.floor(), y.floor());
        let (right, bottom) = (x - left, y - top);
        let (column, row) = (left as i32, top as i32);
        pixel.fill(0.0);
        for (column, row, weight) in [
            (column, row, (1.0 - right) * (1.0 - bottom)),
            (column + 1, row, right * (1.0 - bottom)),
            (column, row + 1, (1.0 - right) * bottom),
            (column + 1, row + 1, right * bottom),
        ] {
            let Some(place) = self.place(column, row) else { continue };
            for (value, plane) in pixel.iter_mut().zip(self.image.chunks_exact(h * w)) {
                *value += plane[place].weighted(weight);
            }
        }
    }
}

/// The nearest integer, halves to the even one, for the small numbers that columns and rows are:
/// adding 1.5 * 2^23 leaves no binary places, and the processor's own rounding does the rest.
/// (`round_ties_even` is a function call where the target has no instruction for it, and was half
/// of the time of an augmented batch.)
fn round(x: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    ((x + SHIFT) - SHIFT) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use resilience_core::dataset::{Split, spec};

    /// Would catch a crop in another direction, one that wraps around, and shifts that are not all
    /// equally likely: a single white pixel shows where it goes.
    #[test]
    fn a_crop_shifts_the_image_and_is_black_outside() {
        let mut pixels = vec![0; 3072];
        pixels[10 * 32 + 20] = 255; // red, row 10, column 20
        let images = Images::new(spec("cifar10").unwrap(), Split::Train, pixels, vec![0]);
        let shifted = |shift| {
            let mut out = vec![0.0; 3072];
            let drawn = Transform { flip: false, degrees: 0.0, shift };
            transform(&images, 0, drawn, Interpolation::Nearest, &mut out).unwrap();
            out.iter().position(|&value| value > 0.0).map(|place| [place / 3 % 32, place / 96])
        };
        assert_eq!(shifted([0, 0]), Some([20, 10]));
        assert_eq!(shifted([4, -3]), Some([16, 13]));
        assert_eq!(shifted([21, 0]), None);
        let crop = Augmentation { flip: true, crop: 2, rotation: 0.0, ..Augmentation::default() };
        let mut seen = [[0; 5]; 5];
        for index in 0..2500 {
            let drawn = draw(crop, &mut stream(0, Purpose::Augmentation, 1, index));
            let [x, y] = drawn.shift.map(|pixels| (pixels + 2) as usize);
            seen[y][x] += 1;
        }
        assert!(seen.iter().flatten().all(|&times| (50..160).contains(&times)), "{seen:?}");
    }

    /// Would catch a shortcut that rounds otherwise than the function it stands for.
    #[test]
    fn rounding_is_to_the_nearest_even() {
        for quarter in -200_i16..200 {
            let x = f32::from(quarter) / 4.0;
            assert_eq!(round(x), x.round_ties_even() as i32, "{x}");
        }
    }
}
