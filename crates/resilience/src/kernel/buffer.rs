//! Numbers that begin at a cache line.

use std::ops::{Deref, DerefMut};

/// Numbers in a cache line.
const LINE: usize = 16;

/// A block of numbers that begins at a cache line, so that no vector lies across two.
#[derive(Debug, Default)]
pub struct Aligned {
    numbers: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// So many zeros.
    pub fn zeros(len: usize) -> Self {
        let numbers = vec![0.0; len + LINE];
        // In numbers; at most a line, as the block is aligned to four bytes.
        let start = numbers.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { numbers, start, len }
    }

    /// Grows to at least `len` numbers; what was in it is lost where it grows.
    pub fn reserve(&mut self, len: usize) {
        if self.len < len {
            *self = Self::zeros(len);
        }
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.numbers[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.numbers[self.start..self.start + self.len]
    }
}
