//! Random draws that come out the same on every platform.
//!
//! Only integer arithmetic and the IEEE operations +, -, *, / and sqrt, which every platform rounds
//! alike, stand between the `ChaCha8` stream and a draw. The generator's words are used directly,
//! since the distributions of a crate may change from one version to the next.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::super::Split;
use super::silhouette::Point;

/// What a stream of draws is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// The classes of ten images; the index counts tens.
    Order = 0,
    /// One image.
    Image = 1,
}

/// A stream of draws.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    /// The stream that belongs to a key.
    pub(super) fn keyed(seed: u64, split: Split, purpose: Purpose, index: u64) -> Self {
        let split = match split {
            Split::Train => 0_u64,
            Split::Test => 1,
        };
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([seed, split, purpose as u64]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(index);
        Self(generator)
    }

    /// Uniform in [low, high), on a grid of 2^24 values.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        const GRID: f64 = 1.0 / 16_777_216.0;
        low + (high - low) * (f64::from(self.0.next_u32() >> 8) * GRID)
    }

    /// An integer below `bound`. The bounds are small, so that the bias is below 1e-8.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        ((u64::from(self.0.next_u32()) * bound as u64) >> 32) as usize
    }

    /// Either, equally often.
    pub(super) fn coin(&mut self) -> bool {
        self.below(2) == 1
    }

    /// A direction (cosine, sine), uniform on the circle.
    pub(super) fn direction(&mut self) -> Point {
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let square = x * x + y * y;
            if (0.01..=1.0).contains(&square) {
                let length = square.sqrt();
                return (x / length, y / length);
            }
        }
    }

    /// A direction (cosine, sine) no further from upright than the angle whose half has the
    /// tangent `half_tangent`: the rational parametrisation of the circle, near uniform in angle.
    pub(super) fn tilt(&mut self, half_tangent: f64) -> Point {
        let t = self.between(-half_tangent, half_tangent);
        let square = t * t;
        ((1.0 - square) / (1.0 + square), 2.0 * t / (1.0 + square))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws() -> Draws {
        Draws::keyed(7, Split::Test, Purpose::Image, 7)
    }

    /// Would catch draws outside their range, or that never come near its ends.
    #[test]
    fn draws_fill_their_range() {
        let mut draws = draws();
        let values: Vec<f64> = (0..1000).map(|_| draws.between(-2.0, 3.0)).collect();
        assert!(values.iter().all(|v| (-2.0..3.0).contains(v)));
        assert!(values.iter().any(|&v| v < -1.9) && values.iter().any(|&v| v > 2.9));
        let counts = (0..1000).fold([0; 3], |mut counts, _| {
            counts[draws.below(3)] += 1;
            counts
        });
        assert!(counts.iter().all(|&count| count > 250), "{counts:?}");
    }

    /// Would catch a direction that also scales, or a tilt beyond its bound.
    #[test]
    fn directions_have_length_one() {
        let mut draws = draws();
        for _ in 0..1000 {
            let (direction, tilt) = (draws.direction(), draws.tilt(0.18));
            for (x, y) in [direction, tilt] {
                assert!((x * x + y * y - 1.0).abs() < 1e-12);
            }
            assert!(tilt.0 > 0.937, "20.4 degrees at most");
        }
    }
}
