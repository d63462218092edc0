//! Auto-PGD: projected gradient descent that finds its own step size.
//!
//! Source: Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness with an Ensemble of
//! Diverse Parameter-free Attacks; reference implementation fra31/auto-attack. From the same start
//! its iterates agree with the reference's `attack_single_run`.
//!
//! Update, with a = 1 in the first step and 0.75 after: `z = project(x + step d)`, then
//! `x' = project(x + a (z - x) + (1 - a)(x - x_old))`, where d is the direction of unit length in
//! which the loss grows fastest. The step begins at 2 eps. At checkpoints (after 22 % of the
//! steps, then at distances that shrink by 3 % down to 6 %) it is halved, and x goes back to the
//! best point, where the loss rose in at most rho of the steps since the last checkpoint, or where
//! neither the step was halved then nor the best loss has risen since.
//!
//! Losses: cross-entropy (`apgd-ce`), difference of logits ratio (`apgd-dlr`), and its targeted
//! form towards the nine likeliest wrong classes in turn (`apgd-t`).
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 100 | 1 .. 100,000 |
//! | restarts | 1 (for each target) | 1 .. |
//! | targets | 9 (`apgd-t` only) | 1 .. 1000 |
//! | rho | 0.75 | 0 .. 1 |
//! | eot | 1 | 1 .. |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. Steps + 1 forward and steps backward passes a round.
//!
//! Kept from the reference: after going back to the best point the momentum still looks at the last
//! point, and at the first checkpoint the first loss is compared with 0, not with the start's.
//! Other than there, a sample leaves as soon as it is broken, and the gradient after the last step,
//! which nobody uses, is not computed.

use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{Attack, AttackSpec, Candidates, Request, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry::{self, Momentum};
use crate::loss::Objective;
use crate::model::{Oracle, Passes};
use crate::rows::choose;
use crate::settings::{EOT, RESTARTS, Range, Setting, Settings};

const SOURCE: &str = "Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness with an \
                      Ensemble of Diverse Parameter-free Attacks; fra31/auto-attack";
const NORMS: &[Norm] = &[Norm::Linf, Norm::L2];
const STEPS: Setting =
    Setting { name: "steps", value: Range::Count(100, 1, 100_000), about: "gradient steps" };
const RHO: Setting = Setting {
    name: "rho",
    value: Range::Real(0.75, 0.0, 1.0),
    about: "share of rising steps at or below which the step is halved",
};

/// On the cross-entropy.
pub static CE: AttackSpec = AttackSpec {
    id: "apgd-ce",
    title: "Auto-PGD on the cross-entropy",
    source: SOURCE,
    about: "PGD that adapts its step to how the loss goes, remembers its best point and has \
            momentum. The first part of AutoAttack, and the one that breaks most. On the \
            cross-entropy it fails where the loss saturates: a very confident model has gradients \
            of zero.",
    norms: NORMS,
    search: Search::WithinBall,
    settings: &[STEPS, RESTARTS, RHO, EOT],
    make: |request| make(request, "ce", 0),
};

/// On the difference of logits ratio.
pub static DLR: AttackSpec = AttackSpec {
    id: "apgd-dlr",
    title: "Auto-PGD on the difference of logits ratio",
    source: SOURCE,
    about: "The same on a loss that does not change when all logits are scaled, so that confidence \
            does not hide the gradient. Weaker than its targeted form; part of AutoAttack's version \
            for random models.",
    norms: NORMS,
    search: Search::WithinBall,
    settings: &[STEPS, RESTARTS, RHO, EOT],
    make: |request| make(request, "dlr", 0),
};

/// On the targeted difference of logits ratio.
pub static TARGETED: AttackSpec = AttackSpec {
    id: "apgd-t",
    title: "Targeted Auto-PGD on the difference of logits ratio",
    source: SOURCE,
    about: "One run towards each of the nine likeliest wrong classes. Nine times the price of \
            apgd-ce, and what finds most of what that one leaves.",
    norms: NORMS,
    search: Search::WithinBall,
    settings: &[
        STEPS,
        RESTARTS,
        Setting {
            name: "targets",
            value: Range::Count(9, 1, 1000),
            about: "so many likeliest wrong classes, one after the other",
        },
        RHO,
        EOT,
    ],
    make: |request| make(request, "dlr", request.settings.count("targets")),
};

/// What to climb, towards how many targets.
#[derive(Debug)]
pub(super) struct Goal {
    pub targets: u32,
    pub objective: Objective,
    pub notice: Option<String>,
}

/// The goal of that loss, fitted to the number of classes: there are no more targets than wrong
/// classes, and the difference of logits ratio needs three of them (four with a target).
pub(super) fn goal(loss: &str, targets: u32, request: &Request) -> Result<Goal, EngineError> {
    let classes = request.classes;
    if classes < 2 {
        return Err(EngineError::Input {
            what: "number of classes",
            expected: "at least 2, or there is no wrong class to push to".to_owned(),
            found: classes.to_string(),
        });
    }
    let fitting = targets.min(classes - 1);
    let mut notice = (fitting < targets).then(|| {
        format!("{targets} targets were asked for; with {classes} classes there are {fitting}")
    });
    let needed = if targets > 0 { 4 } else { 3 };
    let loss = if loss == "dlr" && classes < needed {
        notice = Some(format!(
            "the difference of logits ratio needs {needed} classes and the model has {classes}, so \
             that the margin of logits is climbed instead{}",
            if fitting < targets {
                format!(", towards {fitting} of {targets} targets")
            } else {
                String::new()
            }
        ));
        "margin"
    } else {
        loss
    };
    let objective = match (loss, targets > 0) {
        ("dlr", false) => Objective::Dlr,
        ("dlr", true) => Objective::DlrTargeted,
        ("margin", false) => Objective::Margin,
        ("margin", true) => Objective::MarginTargeted,
        (_, false) => Objective::CrossEntropy,
        (_, true) => Objective::CrossEntropyTargeted,
    };
    Ok(Goal { targets: fitting, objective, notice })
}

#[derive(Debug)]
struct Apgd {
    threat: Threat,
    steps: u32,
    restarts: u32,
    rho: f64,
    eot: u32,
    goal: Goal,
}

fn make(request: &Request, loss: &str, targets: u32) -> Result<Box<dyn Attack>, EngineError> {
    let settings: &Settings = request.settings;
    Ok(Box::new(Apgd {
        threat: request.threat,
        steps: settings.count("steps"),
        restarts: settings.count("restarts"),
        rho: settings.real("rho"),
        eot: settings.count("eot"),
        goal: goal(loss, targets, request)?,
    }))
}

impl Attack for Apgd {
    fn rounds(&self) -> u32 {
        self.restarts * self.goal.targets.max(1)
    }

    fn steps(&self) -> u32 {
        self.steps + 1
    }

    fn cost(&self) -> Passes {
        let passes = u64::from(self.steps) * u64::from(self.eot);
        Passes { forwards: passes + 1, backwards: passes }
    }

    fn target_rank(&self, round: u32) -> Option<u32> {
        (self.goal.targets > 0).then(|| round % self.goal.targets + 1)
    }

    fn eot(&self) -> u32 {
        self.eot
    }

    fn notice(&self) -> Option<String> {
        self.goal.notice.clone()
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        let (norm, x) = (self.threat.norm(), &rows.images);
        let noise = geometry::noise(norm, x, rows.key, &rows.indices)?;
        let start = geometry::at_radius(norm, x, &noise, self.threat.eps().value())?;
        let run = Run {
            threat: self.threat,
            steps: self.steps,
            rho: self.rho,
            objective: self.goal.objective,
        };
        Ok(Box::new(Iterate::begin(run, rows, start)?))
    }
}

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
}

/// Where a round of APGD stands.
pub struct Iterate {
    run: Run,
    checkpoint: Checkpoint,
    done: u32,
    origins: Tensor,
    labels: Tensor,
    targets: Tensor,
    current: Tensor,
    previous: Tensor,
    gradient: Tensor,
    best: Tensor,
    best_gradient: Tensor,
    best_loss: Tensor,    // [n]
    checked_loss: Tensor, // [n], the best loss at the last checkpoint
    halved: Tensor,       // [n], whether the step was halved there
    step: Tensor,         // [n]
    last_loss: Tensor,    // [n]
    rises: Tensor,        // [n], steps since the last checkpoint that raised the loss
}

impl Iterate {
    /// Begins at `start`, which lies in the ball.
    pub fn begin(run: Run, rows: &Rows, start: Tensor) -> Result<Self, EngineError> {
        let n = rows.labels.size()[0];
        let options = (start.kind(), start.device());
        let zeros = Tensor::f_zeros([n], options)?;
        Ok(Self {
            run,
            checkpoint: Checkpoint::first(run.steps),
            done: 0,
            origins: rows.images.shallow_clone(),
            labels: rows.labels.shallow_clone(),
            targets: rows.targets.as_ref().unwrap_or(&rows.labels).shallow_clone(),
            previous: start.shallow_clone(),
            gradient: start.f_zeros_like()?,
            best: start.shallow_clone(),
            best_gradient: start.f_zeros_like()?,
            best_loss: zeros.f_full_like(f64::NEG_INFINITY)?,
            checked_loss: zeros.f_full_like(f64::NEG_INFINITY)?,
            halved: Tensor::f_ones([n], (Kind::Bool, start.device()))?,
            step: zeros.f_full_like(2.0 * run.threat.eps().value())?,
            last_loss: zeros.shallow_clone(),
            rises: zeros,
            current: start,
        })
    }

    /// The best loss of each row so far, `[n]`.
    pub fn best_loss(&self) -> &Tensor {
        &self.best_loss
    }

    /// The next point.
    fn advance(&mut self) -> Result<(), EngineError> {
        let from = Momentum {
            threat: self.run.threat,
            origins: &self.origins,
            previous: &self.previous,
            current: &self.current,
            share: if self.done == 1 { 1.0 } else { 0.75 },
        };
        let next = geometry::ascend_with_momentum(&from, &self.gradient, &self.step)?;
        self.previous = std::mem::replace(&mut self.current, next);
        Ok(())
    }

    /// Remembers the losses at the current point, and whether it is the best.
    fn remember(&mut self, losses: Tensor, gradient: Tensor) -> Result<(), EngineError> {
        let better = losses.f_gt_tensor(&self.best_loss)?;
        self.best = choose(&better, &self.current, &self.best)?;
        self.best_gradient = choose(&better, &gradient, &self.best_gradient)?;
        self.best_loss = choose(&better, &losses, &self.best_loss)?;
        self.gradient = gradient;
        if self.done == 0 {
            self.checked_loss = losses;
            return Ok(());
        }
        let rose = losses.f_gt_tensor(&self.last_loss)?.f_to_kind(self.rises.kind())?;
        self.rises = self.rises.f_add(&rose)?;
        self.last_loss = losses;
        Ok(())
    }

    /// Halves the step of the rows that no longer get on, and sends them back to their best point.
    fn check(&mut self, steps: u32) -> Result<(), EngineError> {
        let few = self.rises.f_le(f64::from(steps) * self.run.rho)?;
        let stuck = self.checked_loss.f_ge_tensor(&self.best_loss)?;
        let stuck = self.halved.f_logical_not()?.f_logical_and(&stuck)?;
        let halve = few.f_logical_or(&stuck)?;
        self.step = choose(&halve, &self.step.f_mul_scalar(0.5)?, &self.step)?;
        self.current = choose(&halve, &self.best, &self.current)?;
        self.gradient = choose(&halve, &self.best_gradient, &self.gradient)?;
        self.checked_loss = self.best_loss.shallow_clone();
        self.halved = halve;
        self.rises = self.rises.f_zeros_like()?;
        Ok(())
    }
}

impl State for Iterate {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        if self.done > 0 {
            self.advance()?;
        }
        let images = self.current.shallow_clone();
        if self.done == self.run.steps {
            let logits = oracle.logits(&images)?;
            let losses = self.run.objective.values(&logits, &self.labels, &self.targets)?;
            self.best_loss = self.best_loss.f_maximum(&losses)?;
            return Ok(Candidates { images, logits: Some(logits) });
        }
        let ascent = oracle.ascent(&images, &|logits, span| {
            self.run.objective.values(logits, &span.of(&self.labels)?, &span.of(&self.targets)?)
        })?;
        self.remember(ascent.losses, ascent.gradient)?;
        if self.done > 0
            && let Some(steps) = self.checkpoint.reached()
        {
            self.check(steps)?;
        }
        self.done += 1;
        Ok(Candidates { images, logits: Some(ascent.logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![
            &mut self.origins,
            &mut self.labels,
            &mut self.targets,
            &mut self.current,
            &mut self.previous,
            &mut self.gradient,
            &mut self.best,
            &mut self.best_gradient,
            &mut self.best_loss,
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
