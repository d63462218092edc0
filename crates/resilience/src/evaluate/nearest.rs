//! The nearest misclassified points of the images of a round.

use resilience_core::record::Nearest;
use tch::Tensor;

use super::verdict::Verdict;
use crate::error::EngineError;
use crate::rows::{copied, lay_over};

/// A nearest point, and what is known of it.
#[derive(Debug)]
pub struct Near {
    /// What is recorded of it.
    pub found: Nearest,
    /// What the reference says to it.
    pub verdict: Verdict,
    /// The point, `[c,h,w]`.
    pub image: Tensor,
}

/// The nearest points so far.
pub(super) struct NearestSoFar {
    distances: Vec<f64>,
    found: Vec<Option<(Verdict, u32)>>,
    images: Tensor, // [n,c,h,w]
}

impl NearestSoFar {
    /// None yet, of images `[n,c,h,w]`.
    pub fn of(images: &Tensor) -> Result<Self, EngineError> {
        let n = images.size()[0] as usize;
        Ok(Self {
            distances: vec![f64::INFINITY; n],
            found: vec![None; n],
            images: copied(images)?,
        })
    }

    /// Whether a misclassified point at that distance would be the nearest of its row. One at no
    /// distance is the image itself, too close to call.
    pub fn wants(&self, row: usize, distance: f64) -> bool {
        distance > 0.0 && distance < self.distances[row]
    }

    /// Takes a row's point, which a step proposed among `images` and the reference has misclassified.
    pub fn take(
        &mut self,
        row: usize,
        images: &Tensor,
        distance: f64,
        (verdict, step): (Verdict, u32),
    ) -> Result<(), EngineError> {
        self.distances[row] = distance;
        self.found[row] = Some((verdict, step));
        let this = (0..self.found.len()).map(|other| other == row);
        lay_over(&mut self.images, this, images)
    }

    /// The nearest point of a row, where one was found, as a round's result on an image.
    pub fn get(&self, row: usize, index: u64, round: u32) -> Result<Option<Near>, EngineError> {
        let Some((verdict, step)) = self.found[row] else { return Ok(None) };
        let found = Nearest {
            index,
            distance: self.distances[row],
            predicted: verdict.predicted,
            margin: verdict.margin,
            round,
            step,
        };
        Ok(Some(Near { found, verdict, image: self.images.f_get(row as i64)? }))
    }
}
