//! The pace in L1: sparse steps, whose number of changes follows the best point's.

use resilience_core::threat::Threat;
use tch::{Kind, Tensor};

use super::iterate::{Pace, Run, Start};
use crate::error::EngineError;
use crate::geometry::{self, SparseStep};

/// At a checkpoint, every 4 % of the steps, the share of numbers that a step changes becomes two
/// thirds of those that differ between the best point and the clean image. Rows whose best point has
/// become sparser by 5 % since the last one go back there with the full step, eps; the others go on with
/// two thirds of theirs, down to a tenth of eps.
pub(super) struct Sparse {
    threat: Threat,
    distance: u32,
    counted: u32,
    share: Tensor,   // [n], f64, of an image's numbers, how many a step changes
    changed: Tensor, // [n], f64, how many differed in the best point at the last checkpoint
    step: Tensor,    // [n], f64
}

/// The share where nothing is known yet.
const FIRST: f64 = 0.2;
/// What shares are smaller, and steps become, by.
const SMALLER: f64 = 1.5;
/// Of the changes at the last checkpoint, how many are few.
const FEW: f64 = 0.95;
/// The smallest step, of eps.
const SHORTEST: f64 = 0.1;

impl Sparse {
    pub(super) fn new(run: Run, origins: &Tensor, start: &Tensor) -> Result<Self, EngineError> {
        let options = (Kind::Double, start.device());
        let (n, all) = (start.size()[0], numbers(start));
        let (share, changed) = match run.start {
            Start::Drawn => {
                (Tensor::f_full([n], FIRST, options)?, Tensor::f_full([n], all, options)?)
            }
            Start::Found => {
                let changed = geometry::changed(start, origins)?;
                (share_of(&changed, all)?, changed)
            }
        };
        Ok(Self {
            threat: run.threat,
            distance: (run.steps / 25).max(1),
            counted: 0,
            share,
            changed,
            step: Tensor::f_full([n], run.threat.eps().value(), options)?,
        })
    }
}

/// How many numbers an image has.
fn numbers(images: &Tensor) -> f64 {
    images.size()[1..].iter().product::<i64>() as f64
}

fn share_of(changed: &Tensor, numbers: f64) -> Result<Tensor, EngineError> {
    Ok(changed.f_div_scalar(numbers)?.f_div_scalar(SMALLER)?)
}

impl Pace for Sparse {
    fn advance(
        &mut self,
        origins: &Tensor,
        current: &Tensor,
        gradient: &Tensor,
    ) -> Result<Tensor, EngineError> {
        let all = numbers(current);
        // Counted from the smallest entry, so that the share is rounded as in the reference.
        let left = |share: f64| ((1.0 - share) * all).clamp(0.0, all - 1.0).floor();
        let shares = Vec::<f64>::try_from(&self.share)?;
        let from = SparseStep {
            threat: self.threat,
            origins,
            current,
            lengths: &Vec::try_from(&self.step)?,
            kept: &shares.into_iter().map(|share| (all - left(share)) as usize).collect::<Vec<_>>(),
        };
        geometry::ascend_sparsely(&from, gradient)
    }

    fn check(
        &mut self,
        _: &Tensor,
        origins: &Tensor,
        (best, _): (&Tensor, &Tensor),
    ) -> Result<Option<Tensor>, EngineError> {
        self.counted += 1;
        if self.counted < self.distance {
            return Ok(None);
        }
        self.counted = 0;
        let eps = self.threat.eps().value();
        let changed = geometry::changed(best, origins)?;
        let sparser = changed.f_div(&self.changed)?.f_lt(FEW)?;
        self.share = share_of(&changed, numbers(best))?;
        let shorter = self.step.f_div_scalar(SMALLER)?;
        let step = shorter.f_masked_fill(&sparser, eps)?;
        self.step = step.f_clamp(SHORTEST * eps, eps)?;
        self.changed = changed;
        Ok(Some(sparser))
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.share, &mut self.changed, &mut self.step]
    }
}
