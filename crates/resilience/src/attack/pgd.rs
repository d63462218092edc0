//! Projected gradient descent.
//!
//! Source: Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks. From
//! the same start its iterates agree with torchattacks' `PGD` and `PGDL2`.
//!
//! Update: `x <- project(x + step_size eps d)`, where d is the direction of unit length in which the
//! loss grows fastest; the projection is onto the ball, then the box. It starts uniform in the
//! ball, or at the clean image.
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 40 | 1 .. 100,000 |
//! | `step_size` | 0.1 of eps | above 0 .. 2 |
//! | restarts | 1 | 1 .. |
//! | start | random | random, clean |
//! | targets | 0: untargeted | 0 .. 1000; so many likeliest wrong classes, one round each |
//! | loss | ce | ce, dlr, margin |
//! | eot | 1 | 1 .. |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. Steps + 1 forward and steps backward passes.
//!
//! Other than in the reference every iterate is a candidate, the start included, not only the last
//! one: what was broken on the way stays broken.

use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{Attack, AttackSpec, Candidates, Request, Rows, Search, State, noise};
use crate::error::EngineError;
use crate::geometry;
use crate::loss::Objective;
use crate::model::{Oracle, Passes};
use crate::settings::{EOT, RESTARTS, Range, Setting};

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "pgd",
    title: "Projected gradient descent",
    source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks; \
             torchattacks PGD, PGDL2",
    about: "Steps of fixed length along the steepest direction, each projected back onto the ball. \
            The standard first attack that deserves the name. Its step size is a guess: too large \
            and it jumps about, too small and it does not arrive; APGD adapts it. It fails where \
            gradients are masked (saturated, shattered or random), and then accuracy under PGD is \
            far above the truth: compare with Square, which needs no gradient.",
    norms: &[Norm::Linf, Norm::L2],
    search: Search::WithinBall,
    settings: &[
        Setting { name: "steps", value: Range::Count(40, 1, 100_000), about: "gradient steps" },
        Setting {
            name: "step_size",
            value: Range::Real(0.1, 1e-6, 2.0),
            about: "length of a step, in units of eps",
        },
        RESTARTS,
        Setting {
            name: "start",
            value: Range::Choice(&["random", "clean"]),
            about: "uniform in the ball, or the clean image (of which one restart is enough)",
        },
        Setting {
            name: "targets",
            value: Range::Count(0, 0, 1000),
            about: "aim at so many likeliest wrong classes, one after the other; 0 for any",
        },
        Setting {
            name: "loss",
            value: Range::Choice(&["ce", "dlr", "margin"]),
            about: "what is climbed: cross-entropy, difference of logits ratio, or the margin",
        },
        EOT,
    ],
    make: |request| Ok(Box::new(Pgd::new(request)?)),
};

#[derive(Debug)]
struct Pgd {
    threat: Threat,
    steps: u32,
    step_size: f64,
    restarts: u32,
    random: bool,
    targets: u32,
    objective: Objective,
    eot: u32,
    notice: Option<String>,
}

impl Pgd {
    fn new(request: &Request) -> Result<Self, EngineError> {
        let settings = request.settings;
        let random = settings.choice("start") == "random";
        let goal = super::apgd::goal(settings.choice("loss"), settings.count("targets"), request)?;
        Ok(Self {
            threat: request.threat,
            steps: settings.count("steps"),
            step_size: settings.real("step_size"),
            restarts: if random { settings.count("restarts") } else { 1 },
            random,
            targets: goal.targets,
            objective: goal.objective,
            eot: settings.count("eot"),
            notice: goal.notice,
        })
    }
}

impl Attack for Pgd {
    fn rounds(&self) -> u32 {
        self.restarts * self.targets.max(1)
    }

    fn steps(&self) -> u32 {
        self.steps + 1
    }

    fn cost(&self) -> Passes {
        let passes = u64::from(self.steps) * u64::from(self.eot);
        Passes { forwards: passes + 1, backwards: passes }
    }

    fn target_rank(&self, round: u32) -> Option<u32> {
        (self.targets > 0).then(|| round % self.targets + 1)
    }

    fn eot(&self) -> u32 {
        self.eot
    }

    fn notice(&self) -> Option<String> {
        self.notice.clone()
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        let start = if self.random {
            let noise = geometry::noise(self.threat.norm(), &rows.images, rows.key, &rows.indices)?;
            geometry::uniform_in_ball(self.threat, &rows.images, &noise, &noise::shares(rows)?)?
        } else {
            rows.images.shallow_clone()
        };
        Ok(Box::new(Iterate::begin(
            self.threat,
            self.step_size,
            self.steps,
            self.objective,
            rows,
            start,
        )?))
    }
}

/// Where PGD stands.
pub struct Iterate {
    threat: Threat,
    objective: Objective,
    left: u32,
    origins: Tensor,
    labels: Tensor,
    targets: Tensor,
    step: Tensor, // [n]
    current: Tensor,
}

impl Iterate {
    /// Begins at `start`, which lies in the ball, with steps of `step_size` in units of eps.
    pub fn begin(
        threat: Threat,
        step_size: f64,
        steps: u32,
        objective: Objective,
        rows: &Rows,
        start: Tensor,
    ) -> Result<Self, EngineError> {
        let (n, kind) = (rows.labels.size()[0], start.kind());
        let step =
            Tensor::f_full([n], step_size * threat.eps().value(), (Kind::Double, start.device()))?;
        Ok(Self {
            threat,
            objective,
            left: steps,
            origins: rows.images.shallow_clone(),
            labels: rows.labels.shallow_clone(),
            targets: rows.targets.as_ref().unwrap_or(&rows.labels).shallow_clone(),
            step: step.f_to_kind(kind)?,
            current: start,
        })
    }
}

impl State for Iterate {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let images = self.current.shallow_clone();
        if self.left == 0 {
            let logits = oracle.logits(&images)?;
            return Ok(Candidates { images, logits: Some(logits) });
        }
        self.left -= 1;
        let ascent = oracle.ascent(&images, &|logits, span| {
            self.objective.values(logits, &span.of(&self.labels)?, &span.of(&self.targets)?)
        })?;
        let moved = geometry::ascend(self.threat.norm(), &images, &ascent.gradient, &self.step)?;
        self.current = geometry::project(self.threat, &moved, &self.origins)?;
        Ok(Candidates { images, logits: Some(ascent.logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![
            &mut self.origins,
            &mut self.labels,
            &mut self.targets,
            &mut self.step,
            &mut self.current,
        ]
    }
}
