//! Resizing of pictures as Pillow does it, to the last bit, since published checkpoints are evaluated on
//! pictures that it resized: bilinear with a support that grows as the picture shrinks, columns before rows,
//! in whole numbers of 22 binary places.
//!
//! Source: Pillow, `src/libImaging/Resample.c` (bytes), which torchvision's `Resize` calls on a picture.

/// A picture: [h, w, c], bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub pixels: Vec<u8>,
}

/// Binary places of a weight.
const PLACES: u32 = 32 - 8 - 2;

impl Picture {
    /// The picture with other sides.
    pub fn resized(&self, [height, width]: [usize; 2]) -> Self {
        let mut picture = self.clone();
        if width != picture.width {
            picture = picture.with_width(width);
        }
        if height != picture.height {
            picture = picture.transposed().with_width(height).transposed();
        }
        picture
    }

    /// A part from the middle; as torchvision's `CenterCrop` has it, halves go to the even pixel.
    pub fn cropped(&self, [height, width]: [usize; 2]) -> Self {
        let [top, left] = [self.height - height, self.width - width]
            .map(|rest| (rest as f64 / 2.0).round_ties_even() as usize);
        let line = width * self.channels;
        let lines = (top..top + height).flat_map(|y| {
            let start = (y * self.width + left) * self.channels;
            &self.pixels[start..start + line]
        });
        Self { height, width, channels: self.channels, pixels: lines.copied().collect() }
    }

    fn with_width(&self, width: usize) -> Self {
        let weights = weights(self.width, width);
        let mut pixels = Vec::with_capacity(self.height * width * self.channels);
        for line in self.pixels.chunks_exact(self.width * self.channels) {
            for (first, weights) in &weights {
                for channel in 0..self.channels {
                    let mut sum = 1_i64 << (PLACES - 1);
                    for (place, weight) in weights.iter().enumerate() {
                        sum += weight * i64::from(line[(first + place) * self.channels + channel]);
                    }
                    pixels.push((sum >> PLACES).clamp(0, 255) as u8);
                }
            }
        }
        Self { width, pixels, ..*self }
    }

    fn transposed(&self) -> Self {
        let (height, width, channels) = (self.width, self.height, self.channels);
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for x in 0..self.width {
            for y in 0..self.height {
                let start = (y * self.width + x) * channels;
                pixels.extend_from_slice(&self.pixels[start..start + channels]);
            }
        }
        Self { height, width, channels, pixels }
    }
}

/// Of each new pixel the first old one that it is made of, and the weights of those.
fn weights(old: usize, new: usize) -> Vec<(usize, Vec<i64>)> {
    let scale = old as f64 / new as f64;
    let stretch = scale.max(1.0);
    let of = |place: usize| {
        let centre = (place as f64 + 0.5) * scale;
        // Towards zero, as the reference casts.
        let first = (centre - stretch + 0.5).max(0.0) as usize;
        let end = ((centre + stretch + 0.5) as usize).min(old);
        let hat = |at: usize| {
            let distance = ((at as f64 - centre + 0.5) * (1.0 / stretch)).abs();
            if distance < 1.0 { 1.0 - distance } else { 0.0 }
        };
        let hats: Vec<f64> = (first..end).map(hat).collect();
        let sum: f64 = hats.iter().sum();
        let whole = |hat: &f64| {
            let weight = if sum == 0.0 { *hat } else { hat / sum };
            (0.5 + weight * f64::from(1_u32 << PLACES)) as i64
        };
        (first, hats.iter().map(whole).collect())
    };
    (0..new).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a crop that is off by one where an odd rest is shared.
    #[test]
    fn a_crop_is_from_the_middle() {
        let picture = Picture { height: 1, width: 8, channels: 1, pixels: (0..8).collect() };
        assert_eq!(picture.cropped([1, 3]).pixels, [2, 3, 4]);
        assert_eq!(picture.cropped([1, 5]).pixels, [2, 3, 4, 5, 6]);
        assert_eq!(picture.cropped([1, 8]), picture);
    }

    /// Would catch weights that do not sum up to one: a picture of one colour keeps it.
    #[test]
    fn a_plain_picture_stays_plain() {
        for (old, new) in [(1, 7), (7, 1), (500, 256), (3, 3), (5, 8192)] {
            let picture =
                Picture { height: 2, width: old, channels: 3, pixels: vec![255; 6 * old] };
            let resized = picture.resized([3, new]);
            assert_eq!(resized.pixels, vec![255; 9 * new]);
        }
    }
}
