//! How the values between two operations lie in memory.

use super::simd::LANES;

/// Height, width and channels of one image's values. The channels of a pixel lie side by side, the
/// pixels row by row, inside a margin of zeros that convolutions look into: one row above, one
/// column to the left, and on the other sides enough for whole tiles of four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// Channels, filled up to whole vectors of eight.
    pub channels: usize,
    margin: bool,
}

impl Map {
    /// The values of `height` x `width` pixels.
    pub const fn image(channels: usize, height: usize, width: usize) -> Self {
        Self { height, width, channels: channels.next_multiple_of(LANES), margin: true }
    }

    /// The same for the pixels themselves, whose channels are not filled up.
    pub const fn pixels(channels: usize, height: usize, width: usize) -> Self {
        Self { height, width, channels, margin: true }
    }

    /// So many features.
    pub const fn features(number: usize) -> Self {
        let channels = number.next_multiple_of(LANES);
        Self { height: 1, width: 1, channels, margin: false }
    }

    /// Numbers from one row of pixels to the next.
    pub const fn row(&self) -> usize {
        let width = if self.margin { self.width.next_multiple_of(4) + 2 } else { self.width };
        width * self.channels
    }

    /// Numbers of an image.
    pub const fn size(&self) -> usize {
        let height = if self.margin { self.height.next_multiple_of(4) + 2 } else { self.height };
        height * self.row()
    }

    /// Where a pixel begins.
    pub const fn at(&self, y: usize, x: usize) -> usize {
        self.window(y, x, 0)
    }

    /// Where the pixel begins that lies `padding` above and to the left of another, maybe in the
    /// margin: the first one of a window.
    pub const fn window(&self, y: usize, x: usize, padding: usize) -> usize {
        let margin = self.margin as usize;
        (y + margin - padding) * self.row() + (x + margin - padding) * self.channels
    }

    /// Whether there is a margin.
    pub const fn has_margin(&self) -> bool {
        self.margin
    }

    /// Pixels of an image.
    pub const fn pixel_count(&self) -> usize {
        self.height * self.width
    }

    /// Bytes of a mask with a bit for each value of an image.
    pub const fn mask(&self) -> usize {
        self.pixel_count() * self.channels.div_ceil(LANES)
    }

    /// Where the mask of a pixel begins.
    pub const fn mask_at(&self, y: usize, x: usize) -> usize {
        (y * self.width + x) * self.channels.div_ceil(LANES)
    }
}
