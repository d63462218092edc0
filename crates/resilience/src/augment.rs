//! Random horizontal flip and rotation of training images, on the bytes of the data set.
//!
//! Rotation follows torchvision's `rotate` on tensors: about the centre of the image,
//! counter-clockwise for positive angles, black outside, nearest neighbour by default.

use rand_chacha::ChaCha8Rng;
use resilience_core::dataset::Images;
use serde::{Deserialize, Serialize};

use crate::rng;

/// What is done to a training image at random.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Whether it is mirrored, with probability one half.
    pub flip: bool,
    /// It is turned by an angle uniform in plus or minus so many degrees.
    pub rotation: f64,
    /// How a pixel between others gets its value.
    pub interpolation: Interpolation,
}

/// How a rotated pixel gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The nearest pixel's (torchvision's default).
    Nearest,
    /// The weighted mean of the four nearest.
    Bilinear,
}

/// One drawn transformation.
#[derive(Clone, Copy, Debug)]
pub struct Transform {
    /// Whether to mirror first.
    pub flip: bool,
    /// Then turn by so many degrees, counter-clockwise.
    pub degrees: f64,
}

impl Augmentation {
    /// Draws what happens to one image.
    pub fn draw(self, rng: &mut ChaCha8Rng) -> Transform {
        let (coin, angle) = (rng::uniform(rng), rng::uniform(rng));
        Transform { flip: self.flip && coin < 0.5, degrees: (2.0 * angle - 1.0) * self.rotation }
    }
}

/// Writes image `row` of `images`, transformed, into `out`: pixels in [0, 1], row by row with the
/// channels of a pixel side by side.
pub fn transform(
    images: &Images,
    row: usize,
    transform: Transform,
    interpolation: Interpolation,
    out: &mut [f32],
) {
    let [c, h, w] = images.shape();
    let image = &images.pixels()[row * c * h * w..][..c * h * w];
    let view = View { image, size: [c, h, w], flip: transform.flip };
    let (sin, cos) = transform.degrees.to_radians().sin_cos();
    let (sin, cos) = (sin as f32, cos as f32);
    let (half_w, half_h) = (w as f32 / 2.0, h as f32 / 2.0);
    for (index, pixel) in out.chunks_exact_mut(c).enumerate() {
        let dx = (index % w) as f32 + 0.5 - half_w;
        let dy = (index / w) as f32 + 0.5 - half_h;
        let x = cos * dx - sin * dy + half_w - 0.5;
        let y = sin * dx + cos * dy + half_h - 0.5;
        match interpolation {
            Interpolation::Nearest => view.nearest(x, y, pixel),
            Interpolation::Bilinear => view.bilinear(x, y, pixel),
        }
    }
}

/// An image, perhaps seen in a mirror.
struct View<'a> {
    image: &'a [u8],
    size: [usize; 3],
    flip: bool,
}

impl View<'_> {
    /// Adds `weight` times the pixel at (x, y) to `pixel`; nothing outside the image.
    fn add(&self, x: f32, y: f32, weight: f32, pixel: &mut [f32]) {
        let [_, h, w] = self.size;
        if x < 0.0 || y < 0.0 || x >= w as f32 || y >= h as f32 {
            return;
        }
        let (x, y) = (x as usize, y as usize);
        let x = if self.flip { w - 1 - x } else { x };
        for (channel, value) in pixel.iter_mut().enumerate() {
            *value += weight * f32::from(self.image[(channel * h + y) * w + x]);
        }
    }

    fn nearest(&self, x: f32, y: f32, pixel: &mut [f32]) {
        pixel.fill(0.0);
        self.add(x.round_ties_even(), y.round_ties_even(), 1.0, pixel);
        for value in pixel {
            *value /= 255.0;
        }
    }

    fn bilinear(&self, x: f32, y: f32, pixel: &mut [f32]) {
        pixel.fill(0.0);
        let (left, top) = (x.floor(), y.floor());
        let (right, bottom) = (x - left, y - top);
        self.add(left, top, (1.0 - right) * (1.0 - bottom), pixel);
        self.add(left + 1.0, top, right * (1.0 - bottom), pixel);
        self.add(left, top + 1.0, (1.0 - right) * bottom, pixel);
        self.add(left + 1.0, top + 1.0, right * bottom, pixel);
        for value in pixel {
            *value /= 255.0;
        }
    }
}
