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
    /// Where an attack begins; `round` is the restart or target, `index` the image.
    Start = 4,
    /// What an attack draws on its way; `round` is the restart or target, `index` the image.
    Draw = 5,
    /// Seeds for a model's own noise; `round` is what is computed, `index` the pass.
    ModelNoise = 6,
    /// Which survivors are attacked again; `round` is the attack, `index` 0.
    Pick = 7,
    /// How a batch of training images is mixed; `round` is the epoch, `index` the step.
    Mixing = 8,
}

/// The stream for `purpose`, in `round`, for the thing number `index`.
#[must_use]
pub fn stream(seed: u64, purpose: Purpose, round: u64, index: u64) -> ChaCha8Rng {
    keyed(seed, purpose, [round, 0], index)
}

fn keyed(seed: u64, purpose: Purpose, [round, salt]: [u64; 2], index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (part, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, round, salt]) {
        part.copy_from_slice(&value.to_le_bytes());
    }
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(index);
    rng
}

/// The random numbers of one round of one attack: everything but the image is fixed, so that an
/// image gets the same numbers whatever it shares a batch with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    seed: u64,
    attack: u64,
    round: u64,
}

impl Key {
    /// The key of a round (a restart or a target, from 0) of the attack with this registry id.
    #[must_use]
    pub fn new(seed: u64, attack: &str, round: u32) -> Self {
        // FNV-1a: any fixed map from short names to numbers does.
        let hash = attack.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { seed, attack: hash, round: round.into() }
    }

    /// The stream for image `index`.
    #[must_use]
    pub fn stream(self, purpose: Purpose, index: u64) -> ChaCha8Rng {
        keyed(self.seed, purpose, [self.round, self.attack], index)
    }

    /// The stream for image `index`, entered where step number `step` begins: 64 bytes a step.
    #[must_use]
    pub fn step(self, index: u64, step: u32) -> ChaCha8Rng {
        let mut rng = self.stream(Purpose::Draw, index);
        rng.set_word_pos(u128::from(step) * 16);
        rng
    }
}

/// A number in [0, 1) with 53 random bits.
pub fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// Fills `values` with numbers uniform in [-1, 1), of 24 random bits each.
pub fn fill_uniform(rng: &mut ChaCha8Rng, values: &mut [f32]) {
    for value in values {
        *value = (rng.next_u32() >> 8) as f32 / (1_u32 << 23) as f32 - 1.0;
    }
}

/// Fills `values` with standard normal numbers (Box and Muller's transformation).
pub fn fill_normal(rng: &mut ChaCha8Rng, values: &mut [f32]) {
    for pair in values.chunks_mut(2) {
        // In (0, 1], whose logarithm is finite.
        let (radius, angle) = (1.0 - uniform(rng), uniform(rng) * std::f64::consts::TAU);
        let radius = (-2.0 * radius.ln()).sqrt();
        let normals = [radius * angle.cos(), radius * angle.sin()];
        for (value, normal) in pair.iter_mut().zip(normals) {
            *value = normal as f32;
        }
    }
}

/// Fills `values` with 1 and -1, each half of the time.
pub fn fill_signs(rng: &mut ChaCha8Rng, values: &mut [f32]) {
    for part in values.chunks_mut(32) {
        let mut bits = rng.next_u32();
        for value in part {
            *value = if bits & 1 == 0 { 1.0 } else { -1.0 };
            bits >>= 1;
        }
    }
}

/// 1 or -1, each half of the time.
pub fn sign(rng: &mut ChaCha8Rng) -> f32 {
    if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 }
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
pub fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
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

    /// Would catch an attack, a round, an image or a step that shares its numbers with another.
    #[test]
    fn every_part_of_an_attacks_key_counts() {
        let first = |seed, attack, round, index, step| {
            Key::new(seed, attack, round).step(index, step).next_u64()
        };
        let base = first(1, "pgd", 2, 3, 4);
        assert_eq!(base, first(1, "pgd", 2, 3, 4));
        for other in [
            first(2, "pgd", 2, 3, 4),
            first(1, "pgd-", 2, 3, 4),
            first(1, "pgd", 3, 3, 4),
            first(1, "pgd", 2, 4, 4),
            first(1, "pgd", 2, 3, 5),
            Key::new(1, "pgd", 2).stream(Purpose::Start, 3).next_u64(),
        ] {
            assert_ne!(base, other);
        }
    }

    /// Would catch a distribution with another mean, spread or range than its name says.
    #[test]
    fn uniform_and_normal_numbers_are_so() {
        let mut rng = Key::new(0, "x", 0).stream(Purpose::Start, 0);
        let mut values = vec![0.0; 100_001];
        fill_uniform(&mut rng, &mut values);
        let moment = |values: &[f32], k| {
            values.iter().map(|&v| f64::from(v).powi(k)).sum::<f64>() / values.len() as f64
        };
        assert!(values.iter().all(|v| (-1.0..1.0).contains(v)));
        assert!(moment(&values, 1).abs() < 0.01 && (moment(&values, 2) - 1.0 / 3.0).abs() < 0.01);
        fill_normal(&mut rng, &mut values);
        assert!(moment(&values, 1).abs() < 0.02 && (moment(&values, 2) - 1.0).abs() < 0.02);
        assert!((moment(&values, 4) - 3.0).abs() < 0.15);
    }

    /// Would catch signs that are not balanced, or hang together from one number, or one lot of bits, to
    /// the next.
    #[test]
    fn signs_are_balanced_and_do_not_hang_together() {
        let mut rng = Key::new(0, "x", 0).stream(Purpose::Draw, 0);
        let mut values = vec![0.0; 100_007];
        fill_signs(&mut rng, &mut values);
        assert!(
            values.iter().all(|value| [1.0_f32, -1.0].map(f32::to_bits).contains(&value.to_bits()))
        );
        for apart in [0, 1, 31, 32, 33] {
            let pairs = values.iter().zip(&values[apart..]);
            let sum: f32 =
                if apart == 0 { values.iter().sum() } else { pairs.map(|(a, b)| a * b).sum() };
            assert!(sum.abs() < 1500.0, "{apart}: {sum}");
        }
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
