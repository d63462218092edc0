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
//! In L1 (Croce and Hein 2021, Mind the Box) the step is x' = project(x + step s), where s has length 1
//! and the signs of the gradient's largest entries, all of the same size, without momentum. The first
//! steps take a fifth of the numbers; every 4 % of the steps it becomes two thirds of those that differ
//! between best point and clean image. Where these have become fewer by 5 %, the step is eps again and x
//! goes back to the best point; else the step is divided by 1.5, down to eps / 10. A round with `radius`
//! `shrinking` makes 30 % of its steps in the ball of 3 eps, 30 % in that of 2 eps and the rest in its
//! own, each from the nearest point to the best of the one before.
//!
//! Losses: cross-entropy (`apgd-ce`), the same of rescaled logits (`apgd-rescaled`), difference of logits
//! ratio (`apgd-dlr`), and its targeted form towards the nine likeliest wrong classes in turn (`apgd-t`).
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 100 | 1 .. 100,000 |
//! | restarts | 1 (for each target) | 1 .. |
//! | targets | 9 (`apgd-t` only) | 1 .. 1000 |
//! | rho | 0.75 (Linf and L2) | 0 .. 1 |
//! | radius | shrinking (L1) | shrinking, constant |
//! | eot | 1 | 1 .. |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. Steps + 1 forward and steps backward passes a round, and
//! two forward passes more where the radius shrinks.
//!
//! Kept from the reference: after going back to the best point the momentum still looks at the last
//! point, and at the first checkpoint the first loss is compared with 0, not with the start's.
//! Other than there, a sample leaves as soon as it is broken, and the gradient after the last step,
//! which nobody uses, is not computed. In L1 numbers that the projection leaves no change are those of
//! the clean image to the bit; in the reference some differ by rounding, and it counts them as changed.
//! Misclassified points of the larger balls count where they lie in the ball that was asked for.

mod goal;
mod halving;
mod iterate;
mod shrinking;
mod sparse;

use resilience_core::threat::{Norm, Threat};

pub(super) use self::goal::{Goal, goal};
pub use self::iterate::{Iterate, Run, Start};
pub use self::shrinking::Shrinking;
use super::{Attack, AttackSpec, Request, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry;
use crate::model::Passes;
use crate::settings::{EOT, RESTARTS, Range, Setting, Settings};

const SOURCE: &str = "Croce and Hein 2020, Reliable Evaluation of Adversarial Robustness with an \
                      Ensemble of Diverse Parameter-free Attacks; for L1 Croce and Hein 2021, Mind \
                      the Box: l1-APGD for Sparse Adversarial Attacks on Image Classifiers; \
                      fra31/auto-attack";
const NORMS: &[Norm] = &Norm::ALL;
const STEPS: Setting =
    Setting { name: "steps", value: Range::Count(100, 1, 100_000), about: "gradient steps" };
const RHO: Setting = Setting {
    name: "rho",
    value: Range::Real(0.75, 0.0, 1.0),
    about: "share of rising steps at or below which the step is halved",
};

const RADIUS: Setting = Setting {
    name: "radius",
    value: Range::Choice(&["shrinking", "constant"]),
    about: "in L1, search through the balls of 3 eps and 2 eps first, or in that of eps throughout",
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
    settings: &[STEPS, RESTARTS, RHO, RADIUS, EOT],
    make: |request| make(request, "ce", 0),
};

/// On the cross-entropy of rescaled logits.
pub static RESCALED: AttackSpec = AttackSpec {
    id: "apgd-rescaled",
    title: "Auto-PGD on the cross-entropy of rescaled logits",
    source: "Auto-PGD (Croce and Hein 2020) with logits rescaled against rounding, after Minimizing the \
             Impact of Floating-Point Errors 2025",
    about: "The same on logits that are divided by the lead of the highest one, so that the softmax is \
            never so sure that its gradient is lost in rounding. Where it breaks more than apgd-ce, that \
            one stood still at vanished gradients: defensive distillation, very confident models.",
    norms: NORMS,
    search: Search::WithinBall,
    settings: &[STEPS, RESTARTS, RHO, RADIUS, EOT],
    make: |request| make(request, "rescaled", 0),
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
    settings: &[STEPS, RESTARTS, RHO, RADIUS, EOT],
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
        RADIUS,
        EOT,
    ],
    make: |request| make(request, "dlr", request.settings.count("targets")),
};

#[derive(Debug)]
struct Apgd {
    threat: Threat,
    steps: u32,
    restarts: u32,
    rho: f64,
    /// Whether the radius shrinks to eps in a round.
    shrinking: bool,
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
        shrinking: geometry::moves_sparsely(request.threat.norm())
            && settings.choice("radius") == "shrinking",
        eot: settings.count("eot"),
        goal: goal(loss, targets, request)?,
    }))
}

impl Apgd {
    /// How many balls a round goes through.
    const fn balls(&self) -> u32 {
        if self.shrinking { 3 } else { 1 }
    }
}

impl Attack for Apgd {
    fn rounds(&self) -> u32 {
        self.restarts * self.goal.targets.max(1)
    }

    fn steps(&self) -> u32 {
        self.steps + self.balls()
    }

    fn cost(&self) -> Passes {
        let passes = u64::from(self.steps) * u64::from(self.eot);
        Passes { forwards: passes + u64::from(self.balls()), backwards: passes }
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
        let run = Run {
            threat: self.threat,
            steps: self.steps,
            rho: self.rho,
            objective: self.goal.objective,
            start: Start::Drawn,
        };
        if self.shrinking {
            return Ok(Box::new(Shrinking::begin(run, rows, &noise)?));
        }
        let start = geometry::border_start(self.threat, x, &noise)?;
        Ok(Box::new(Iterate::begin(run, rows, start)?))
    }
}
