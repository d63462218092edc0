//! The pace in Linf and L2: steps with momentum, halved at checkpoints.

use resilience_core::threat::Threat;
use tch::{Kind, Tensor};

use super::iterate::{Pace, Run};
use crate::error::EngineError;
use crate::geometry::{self, Momentum};
use crate::rows::choose;

/// Halves the step of rows that no longer get on, and sends them back to their best point.
pub(super) struct Halving {
    threat: Threat,
    rho: f64,
    checkpoint: Checkpoint,
    /// Whether a step was made already.
    moved: bool,
    /// Where the last step began.
    previous: Tensor,
    checked_loss: Tensor, // [n], the best loss at the last checkpoint
    halved: Tensor,       // [n], whether the step was halved there
    step: Tensor,         // [n]
    last_loss: Tensor,    // [n]
    rises: Tensor,        // [n], steps since the last checkpoint that raised the loss
}

impl Halving {
    pub(super) fn new(run: Run, start: &Tensor) -> Result<Self, EngineError> {
        let n = start.size()[0];
        let zeros = Tensor::f_zeros([n], (start.kind(), start.device()))?;
        Ok(Self {
            threat: run.threat,
            rho: run.rho,
            checkpoint: Checkpoint::first(run.steps),
            moved: false,
            previous: start.shallow_clone(),
            checked_loss: zeros.f_full_like(f64::NEG_INFINITY)?,
            halved: Tensor::f_ones([n], (Kind::Bool, start.device()))?,
            step: zeros.f_full_like(2.0 * run.threat.eps().value())?,
            last_loss: zeros.shallow_clone(),
            rises: zeros,
        })
    }
}

impl Pace for Halving {
    fn advance(
        &mut self,
        origins: &Tensor,
        current: &Tensor,
        gradient: &Tensor,
    ) -> Result<Tensor, EngineError> {
        let from = Momentum {
            threat: self.threat,
            origins,
            previous: &self.previous,
            current,
            share: if self.moved { 0.75 } else { 1.0 },
        };
        let next = geometry::ascend_with_momentum(&from, gradient, &self.step)?;
        self.previous = current.shallow_clone();
        self.moved = true;
        Ok(next)
    }

    fn begin(&mut self, losses: &Tensor) {
        self.checked_loss = losses.shallow_clone();
    }

    fn check(
        &mut self,
        losses: &Tensor,
        _: &Tensor,
        (_, best_loss): (&Tensor, &Tensor),
    ) -> Result<Option<Tensor>, EngineError> {
        let rose = losses.f_gt_tensor(&self.last_loss)?.f_to_kind(self.rises.kind())?;
        self.rises = self.rises.f_add(&rose)?;
        self.last_loss = losses.shallow_clone();
        let Some(steps) = self.checkpoint.reached() else { return Ok(None) };
        let few = self.rises.f_le(f64::from(steps) * self.rho)?;
        let stuck = self.checked_loss.f_ge_tensor(best_loss)?;
        let stuck = self.halved.f_logical_not()?.f_logical_and(&stuck)?;
        let halve = few.f_logical_or(&stuck)?;
        self.step = choose(&halve, &self.step.f_mul_scalar(0.5)?, &self.step)?;
        self.checked_loss = best_loss.shallow_clone();
        self.halved = halve.shallow_clone();
        self.rises = self.rises.f_zeros_like()?;
        Ok(Some(halve))
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![
            &mut self.previous,
            &mut self.checked_loss,
            &mut self.halved,
            &mut self.step,
            &mut self.last_loss,
            &mut self.rises,
        ]
    }
}

/// Counts the steps to the next checkpoint.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    distance: u32,
    shrink: u32,
    shortest: u32,
    counted: u32,
}

impl Checkpoint {
    /// The first one, after 22 % of the steps.
    fn first(steps: u32) -> Self {
        let share = |percent: u32| (steps * percent / 100).max(1);
        Self { distance: share(22), shrink: share(3), shortest: share(6), counted: 0 }
    }

    /// Counts a step; the number of steps since the last checkpoint where this is one.
    fn reached(&mut self) -> Option<u32> {
        self.counted += 1;
        if self.counted < self.distance {
            return None;
        }
        let steps = std::mem::take(&mut self.counted);
        self.distance = self.distance.saturating_sub(self.shrink).max(self.shortest);
        Some(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch another schedule of checkpoints: the places that the reference's constants give.
    #[test]
    fn checkpoints_stand_where_the_paper_puts_them() {
        let places = |steps: u32| {
            let mut checkpoint = Checkpoint::first(steps);
            (0..steps).filter(|_| checkpoint.reached().is_some()).collect::<Vec<_>>()
        };
        assert_eq!(places(100), [21, 40, 56, 69, 79, 86, 92, 98]);
        assert_eq!(places(50), [10, 20, 29, 37, 44]);
        let all = [3, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];
        assert_eq!(places(20), all, "steps of one at last");
    }
}
