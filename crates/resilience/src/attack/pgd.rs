//! Projected gradient descent.
//!
//! Source: Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks; for L1
//! Tramèr and Boneh 2019, Adversarial Training and Robustness for Multiple Perturbations (SLIDE). From
//! the same start its iterates agree with torchattacks' `PGD` and `PGDL2`; in L1 with steps of foolbox's
//! `SparseL1DescentAttack`, projected by fra31/auto-attack's `L1_projection`.
//!
//! Update: `x <- project(x + step_size eps d)`, where d is the direction of unit length in which the
//! loss grows fastest; the projection is onto the ball, then the box. It starts uniform in the
//! ball, or at the clean image.
//!
//! With `decay` above 0 the direction is that of gathered gradients, `m <- decay m + g / mean |g|`: with
//! `start` clean this is MI-FGSM (Dong et al. 2018, Boosting Adversarial Attacks with Momentum), whose
//! iterates agree with torchattacks' `MIFGSM` at decay 1. With `start` clean and no decay it is BIM
//! (Kurakin et al. 2017), with `targets` and the loss `margin` `MultiTargeted` (Gowal et al. 2019).
//!
//! In L1 the steepest direction is a single number of the image, which is soon at the border of the
//! box. There d has the signs of the gradient's largest entries, a share `sparsity` of them, all of the
//! same size; entries that would push a number out of the box that is at its border already are left
//! out. The projection is onto ball and box together. How large the share should be depends on the
//! radius: of `resnet2b`'s first 40 images 100 steps at eps 2 leave 24 with 0.01, 21 with 0.001 and 29
//! with 0.05 (APGD: 18).
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 40 | 1 .. 100,000 |
//! | `step_size` | 0.1 of eps | above 0 .. 2 |
//! | decay | 0: no momentum | 0 .. 10 |
//! | restarts | 1 | 1 .. |
//! | start | random | random, clean |
//! | targets | 0: untargeted | 0 .. 1000; so many likeliest wrong classes, one round each |
//! | loss | ce | ce, dlr, margin, rescaled |
//! | `sparsity` | 0.01 (L1 only) | above 0 .. 1 |
//! | eot | 1 | 1 .. |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. Steps + 1 forward and steps backward passes.
//!
//! Other than in the references every iterate is a candidate, the start included, not only the last
//! one: what was broken on the way stays broken. foolbox projects onto the L1 ball and clips then, which
//! is another point than the nearest of both.

use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{Attack, AttackSpec, Candidates, Request, Rows, Search, State, noise};
use crate::error::EngineError;
use crate::geometry::{self, SparseStep};
use crate::loss::Objective;
use crate::model::{Oracle, Passes};
use crate::settings::{EOT, RESTARTS, Range, Setting};

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "pgd",
    title: "Projected gradient descent",
    source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks \
             (torchattacks PGD, PGDL2); for L1 Tramer and Boneh 2019, Adversarial Training and \
             Robustness for Multiple Perturbations (foolbox SparseL1DescentAttack)",
    about: "Steps of fixed length along the steepest direction, each projected back onto the ball. \
            The standard first attack that deserves the name. Its step size is a guess: too large \
            and it jumps about, too small and it does not arrive; APGD adapts it. It fails where \
            gradients are masked (saturated, shattered or random), and then accuracy under PGD is \
            far above the truth: compare with Square, which needs no gradient. With start=clean it is \
            BIM, with start=clean and decay=1 MI-FGSM, whose examples transfer better to other models, \
            and with targets=9 and loss=margin MultiTargeted.",
    norms: &Norm::ALL,
    search: Search::WithinBall,
    settings: &[
        Setting { name: "steps", value: Range::Count(40, 1, 100_000), about: "gradient steps" },
        Setting {
            name: "step_size",
            value: Range::Real(0.1, 1e-6, 2.0),
            about: "length of a step, in units of eps",
        },
        Setting {
            name: "decay",
            value: Range::Real(0.0, 0.0, 10.0),
            about: "what is kept of earlier gradients, each of a mean size of 1; 0 for no momentum",
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
            value: Range::Choice(&["ce", "dlr", "margin", "rescaled"]),
            about: "what is climbed: cross-entropy, difference of logits ratio, the margin, or the \
                    cross-entropy of logits over their lead",
        },
        Setting {
            name: "sparsity",
            value: Range::Real(0.01, 1e-6, 1.0),
            about: "in L1, share of an image's numbers that a step moves, those of the largest gradient",
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
    decay: f64,
    restarts: u32,
    random: bool,
    targets: u32,
    objective: Objective,
    sparsity: f64,
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
            decay: settings.real("decay"),
            restarts: if random { settings.count("restarts") } else { 1 },
            random,
            targets: goal.targets,
            objective: goal.objective,
            sparsity: settings.real("sparsity"),
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
        let run = Run {
            threat: self.threat,
            step_size: self.step_size,
            decay: self.decay,
            steps: self.steps,
            objective: self.objective,
            sparsity: self.sparsity,
        };
        Ok(Box::new(Iterate::begin(run, rows, start)?))
    }
}

/// What a round of PGD needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The ball.
    pub threat: Threat,
    /// Length of a step, in units of eps.
    pub step_size: f64,
    /// What is kept of earlier gradients; 0 for none.
    pub decay: f64,
    /// Gradient steps.
    pub steps: u32,
    /// What is climbed.
    pub objective: Objective,
    /// Share of an image's numbers that a step moves, where steps are sparse.
    pub sparsity: f64,
}

/// Where PGD stands.
pub struct Iterate {
    run: Run,
    left: u32,
    origins: Tensor,
    labels: Tensor,
    targets: Tensor,
    step: Tensor, // [n]
    current: Tensor,
    gathered: Option<Tensor>, // like the images, the gradients so far
}

impl Iterate {
    /// Begins at `start`, which lies in the ball.
    pub fn begin(run: Run, rows: &Rows, start: Tensor) -> Result<Self, EngineError> {
        let (n, kind) = (rows.labels.size()[0], start.kind());
        let length = run.step_size * run.threat.eps().value();
        let step = Tensor::f_full([n], length, (Kind::Double, start.device()))?;
        Ok(Self {
            run,
            left: run.steps,
            origins: rows.images.shallow_clone(),
            labels: rows.labels.shallow_clone(),
            targets: rows.targets.as_ref().unwrap_or(&rows.labels).shallow_clone(),
            step: step.f_to_kind(kind)?,
            current: start,
            gathered: None,
        })
    }

    /// The gradient with what is kept of those before it.
    fn gather(&mut self, gradient: Tensor) -> Result<Tensor, EngineError> {
        if self.run.decay <= 0.0 {
            return Ok(gradient);
        }
        let dims = [1_i64, 2, 3];
        let size = gradient.f_abs()?.f_mean_dim(dims.as_slice(), true, None::<Kind>)?; // [n,1,1,1]
        let unit = gradient.f_div(&size.f_clamp_min(f64::from(f32::MIN_POSITIVE))?)?;
        let gathered = match &self.gathered {
            Some(before) => unit.f_add(&before.f_mul_scalar(self.run.decay)?)?,
            None => unit,
        };
        self.gathered = Some(gathered.shallow_clone());
        Ok(gathered)
    }

    /// The next point.
    fn advance(&self, gradient: &Tensor) -> Result<Tensor, EngineError> {
        let (threat, current) = (self.run.threat, &self.current);
        if !geometry::moves_sparsely(threat.norm()) {
            let moved = geometry::ascend(threat.norm(), current, gradient, &self.step)?;
            return geometry::project(threat, &moved, &self.origins);
        }
        let numbers = current.size()[1..].iter().product::<i64>() as usize;
        let n = current.size()[0] as usize;
        let from = SparseStep {
            threat,
            origins: &self.origins,
            current,
            lengths: &vec![self.run.step_size * threat.eps().value(); n],
            kept: &vec![geometry::kept(self.run.sparsity, numbers); n],
        };
        geometry::ascend_sparsely(&from, &geometry::inwards(current, gradient)?)
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
            self.run.objective.values(logits, &span.of(&self.labels)?, &span.of(&self.targets)?)
        })?;
        let gradient = self.gather(ascent.gradient)?;
        self.current = self.advance(&gradient)?;
        Ok(Candidates { images, logits: Some(ascent.logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let mut tensors = vec![
            &mut self.origins,
            &mut self.labels,
            &mut self.targets,
            &mut self.step,
            &mut self.current,
        ];
        tensors.extend(&mut self.gathered);
        tensors
    }
}
