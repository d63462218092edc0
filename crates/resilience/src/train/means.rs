//! Means over an epoch.

use crate::recipe::Losses;

/// Means over an epoch, weighted by the size of each batch.
#[derive(Default)]
pub(super) struct Means {
    /// Images so far.
    pub images: usize,
    loss: f64,
    scalars: Vec<(&'static str, f64)>,
}

impl Means {
    pub fn add(&mut self, losses: &Losses, n: usize) {
        if self.scalars.is_empty() {
            self.scalars = losses.scalars.iter().map(|&(name, _)| (name, 0.0)).collect();
        }
        self.images += n;
        self.loss += losses.total * n as f64;
        for ((_, sum), (_, value)) in self.scalars.iter_mut().zip(&losses.scalars) {
            *sum += value * n as f64;
        }
    }

    pub fn loss(&self) -> f64 {
        self.loss / self.images.max(1) as f64
    }

    pub fn scalars(&self) -> Vec<(String, f64)> {
        let n = self.images.max(1) as f64;
        self.scalars.iter().map(|&(name, sum)| (name.to_owned(), sum / n)).collect()
    }
}
