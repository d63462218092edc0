//! Random numbers keyed by what they are for, so that no result depends on the order, the batch
//! size or the process in which it is computed.
//!
//! A ChaCha8 stream is entered at (seed, purpose, epoch or restart, sample): the same key gives
//! the same numbers anywhere.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights of a network; `round` is 0, `index` the parameter.
    InitialWeights = 1,
    /// Order of the training images; `round` is the epoch, `index` 0.
    Order = 2,
    /// Flip and rotation of a training image; `round` is the epoch, `index` the image.
    Augmentation = 3,
}

/// The stream for `purpose`, in `round`, for the thing number `index`.
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, round: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
    key[16..24].copy_from_slice(&round.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index);
    rng
}

/// A number in [0, 1) with 53 random bits.
pub fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A random order of 0..n (Fisher and Yates).
#[must_use]
pub fn permutation(rng: &mut ChaCha8Rng, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        order.swap(last, below(rng, last as u64 + 1) as usize);
    }
    order
}

/// A number in 0..n without bias (Lemire's multiplication, with rejection).
fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    let threshold = n.wrapping_neg() % n;
    loop {
        let wide = u128::from(rng.next_u64()) * u128::from(n);
        if wide as u64 >= threshold {
            return (wide >> 64) as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a key that leaves out one of its parts.
    #[test]
    fn every_part_of_the_key_counts() {
        let first = |s, p, r, i| stream(s, p, r, i).next_u64();
        let base = first(1, Purpose::Order, 2, 3);
        assert_eq!(base, first(1, Purpose::Order, 2, 3));
        assert_ne!(base, first(2, Purpose::Order, 2, 3));
        assert_ne!(base, first(1, Purpose::Augmentation, 2, 3));
        assert_ne!(base, first(1, Purpose::Order, 3, 3));
        assert_ne!(base, first(1, Purpose::Order, 2, 4));
    }

    /// Would catch an order that loses or repeats an image, or that is none.
    #[test]
    fn a_permutation_holds_every_index_once() {
        let order = permutation(&mut stream(0, Purpose::Order, 0, 0), 1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(order, sorted);
    }
}
