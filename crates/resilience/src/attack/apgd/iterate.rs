//! A round of APGD in one ball.

use resilience_core::threat::Threat;
use tch::Tensor;

use super::halving::Halving;
use super::sparse::Sparse;
use crate::attack::{Candidates, Rows, State};
use crate::error::EngineError;
use crate::geometry;
use crate::loss::Objective;
use crate::model::Oracle;
use crate::rows::choose;

/// What a round of APGD needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The ball.
    pub threat: Threat,
    /// Gradient steps.
    pub steps: u32,
    /// Share of rising steps at or below which the step is halved.
    pub rho: f64,
    /// What is climbed.
    pub objective: Objective,
    /// Where it begins.
    pub start: Start,
}

/// Where a round begins, which says how many numbers of an image its first steps change in L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At a point that was drawn, anywhere.
    Drawn,
    /// At one that is worth keeping to.
    Found,
}

/// How far the steps go, and when they begin again from the best point.
pub(super) trait Pace {
    /// The next point.
    fn advance(
        &mut self,
        origins: &Tensor,
        current: &Tensor,
        gradient: &Tensor,
    ) -> Result<Tensor, EngineError>;

    /// Is told the losses at the start, `[n]`.
    fn begin(&mut self, _losses: &Tensor) {}

    /// Is told the losses after a step, and the best so far with its loss. At a checkpoint it gives the
    /// rows that go back there, `[n]`.
    fn check(
        &mut self,
        losses: &Tensor,
        origins: &Tensor,
        best: (&Tensor, &Tensor),
    ) -> Result<Option<Tensor>, EngineError>;

    /// Every tensor that has to lose the rows which are done.
    fn tensors(&mut self) -> Vec<&mut Tensor>;
}

/// Where a round of APGD stands.
pub struct Iterate {
    run: Run,
    pace: Box<dyn Pace>,
    done: u32,
    origins: Tensor,
    labels: Tensor,
    targets: Tensor,
    current: Tensor,
    gradient: Tensor,
    best: Tensor,
    best_gradient: Tensor,
    best_loss: Tensor, // [n]
}

impl Iterate {
    /// Begins at `start`, which lies in the ball.
    pub fn begin(run: Run, rows: &Rows, start: Tensor) -> Result<Self, EngineError> {
        let targets = rows.targets.as_ref().unwrap_or(&rows.labels);
        Self::at(run, [&rows.images, &rows.labels, targets], start)
    }

    /// Goes on from the best point so far in another ball, as a new round.
    pub(super) fn go_on(&self, run: Run) -> Result<Self, EngineError> {
        let start = geometry::project(run.threat, &self.best, &self.origins)?;
        Self::at(run, [&self.origins, &self.labels, &self.targets], start)
    }

    fn at(
        run: Run,
        [origins, labels, targets]: [&Tensor; 3],
        start: Tensor,
    ) -> Result<Self, EngineError> {
        let n = labels.size()[0];
        let pace: Box<dyn Pace> = if geometry::moves_sparsely(run.threat.norm()) {
            Box::new(Sparse::new(run, origins, &start)?)
        } else {
            Box::new(Halving::new(run, &start)?)
        };
        Ok(Self {
            run,
            pace,
            done: 0,
            origins: origins.shallow_clone(),
            labels: labels.shallow_clone(),
            targets: targets.shallow_clone(),
            gradient: start.f_zeros_like()?,
            best: start.shallow_clone(),
            best_gradient: start.f_zeros_like()?,
            best_loss: Tensor::f_full([n], f64::NEG_INFINITY, (start.kind(), start.device()))?,
            current: start,
        })
    }

    /// The best loss of each row so far, `[n]`.
    pub const fn best_loss(&self) -> &Tensor {
        &self.best_loss
    }

    /// The ball.
    pub(super) const fn threat(&self) -> Threat {
        self.run.threat
    }

    /// Whether every step is made.
    pub(super) const fn finished(&self) -> bool {
        self.done > self.run.steps
    }

    /// Remembers the current point in the rows where it is the best; gives these, `[n]`.
    fn remember(&mut self, losses: &Tensor) -> Result<Tensor, EngineError> {
        let better = losses.f_gt_tensor(&self.best_loss)?;
        self.best = choose(&better, &self.current, &self.best)?;
        self.best_loss = choose(&better, losses, &self.best_loss)?;
        Ok(better)
    }

    /// Goes back to the best point in the rows that have to.
    fn check(&mut self, losses: &Tensor) -> Result<(), EngineError> {
        let best = (&self.best, &self.best_loss);
        if let Some(back) = self.pace.check(losses, &self.origins, best)? {
            self.current = choose(&back, &self.best, &self.current)?;
            self.gradient = choose(&back, &self.best_gradient, &self.gradient)?;
        }
        Ok(())
    }
}

impl State for Iterate {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        if self.done > 0 {
            self.current = self.pace.advance(&self.origins, &self.current, &self.gradient)?;
        }
        let images = self.current.shallow_clone();
        self.done += 1;
        if self.finished() {
            let logits = oracle.logits(&images)?;
            let losses = self.run.objective.values(&logits, &self.labels, &self.targets)?;
            let _ = self.remember(&losses)?;
            return Ok(Candidates { images, logits: Some(logits) });
        }
        let ascent = oracle.ascent(&images, &|logits, span| {
            self.run.objective.values(logits, &span.of(&self.labels)?, &span.of(&self.targets)?)
        })?;
        let better = self.remember(&ascent.losses)?;
        self.best_gradient = choose(&better, &ascent.gradient, &self.best_gradient)?;
        self.gradient = ascent.gradient;
        if self.done == 1 {
            self.pace.begin(&ascent.losses);
        } else {
            self.check(&ascent.losses)?;
        }
        Ok(Candidates { images, logits: Some(ascent.logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let mut tensors = self.pace.tensors();
        tensors.extend([
            &mut self.origins,
            &mut self.labels,
            &mut self.targets,
            &mut self.current,
            &mut self.gradient,
            &mut self.best,
            &mut self.best_gradient,
            &mut self.best_loss,
        ]);
        tensors
    }
}
