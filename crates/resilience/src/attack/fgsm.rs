//! Fast gradient sign method.
//!
//! Source: Goodfellow, Shlens and Szegedy 2015, Explaining and Harnessing Adversarial Examples.
//! With true labels it agrees with torchattacks' `FGSM`, with the model's own predictions as
//! labels with ART's `FastGradientMethod` when no labels are given; with the settings below, and in
//! all three norms, with the rest of what ART's does.
//!
//! Update: `x' = clip(x + eps d, 0, 1)`, where d is the direction of unit length in which the
//! cross-entropy grows fastest: its gradient's sign for Linf, the gradient over its length for L2, the
//! sign of the largest entry alone for L1, where one step changes one number. With a target it is the
//! direction in which the target's cross-entropy falls fastest.
//!
//! With `start` random the step begins uniform in the ball, and where x' is farther than eps from the
//! clean image then, its change is shortened to eps, along itself (for Linf number by number). With
//! `radii` above 1 so many equal parts of the step are tried, the shortest first, along the one
//! direction: the first that breaks an image is the least (ART's `minimal`, whose `eps_step` is eps over
//! the radii).
//!
//! | setting | default | range |
//! |---|---|---|
//! | radii | 1: eps alone | 1 .. 10,000 |
//! | restarts | 1 | 1 ..; of a clean start one is enough |
//! | start | clean | clean, random |
//! | targets | 0: untargeted | 0 .. 1000; so many likeliest wrong classes, one round each |
//! | eot | 1 | 1 .. |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. One forward and one backward pass an image, and a look
//! at each candidate. Where the gradient is zero the image stays as it is.
//!
//! Other than in ART, of several random starts each image keeps the one that breaks it (there all keep
//! the one that breaks the most), a target is a direction (any wrong class ends the search), and starts
//! in L1 are uniform in the ball (there they lie near its border).

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Attack, AttackSpec, Candidates, Request, Rows, Search, State, noise};
use crate::error::EngineError;
use crate::geometry;
use crate::loss::Objective;
use crate::model::{Oracle, Passes};
use crate::settings::{EOT, RESTARTS, Range, Setting};

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "fgsm",
    title: "Fast gradient sign method",
    source: "Goodfellow et al. 2015, Explaining and Harnessing Adversarial Examples; torchattacks \
             FGSM (true labels), ART FastGradientMethod (predicted labels)",
    about: "One step of length eps along the sign of the cross-entropy's gradient. It is the \
            cheapest attack and the weakest: it assumes that the loss is linear up to eps. A model \
            trained on its examples can learn to bend the loss right there, so that FGSM finds \
            nothing while a second step would: FGSM accuracy is an upper bound, often a loose one. \
            With true labels, such a model can even read the label off the perturbation (label \
            leaking) and score higher on attacked images than on clean ones. In L1 the step changes \
            one number of the image. With radii=10 tenths of eps are tried in turn (ART's minimal), \
            with start=random it begins in the ball, with targets=1 it goes towards the likeliest \
            wrong class.",
    norms: &Norm::ALL,
    search: Search::WithinBall,
    settings: &[
        Setting {
            name: "radii",
            value: Range::Count(1, 1, 10_000),
            about: "equal parts of eps that are tried along one direction, the shortest first; 1 for \
                    eps alone",
        },
        RESTARTS,
        Setting {
            name: "start",
            value: Range::Choice(&["clean", "random"]),
            about: "the clean image (of which one restart is enough), or uniform in the ball",
        },
        Setting {
            name: "targets",
            value: Range::Count(0, 0, 1000),
            about: "aim at so many likeliest wrong classes, one after the other; 0 for any",
        },
        EOT,
    ],
    make: |request| Ok(Box::new(Fgsm::new(request)?)),
};

#[derive(Debug)]
struct Fgsm {
    run: Run,
    restarts: u32,
    random: bool,
    targets: u32,
    eot: u32,
    notice: Option<String>,
}

/// What a round of FGSM needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The ball.
    pub threat: Threat,
    /// Parts of the step that are tried.
    pub radii: u32,
    /// What is climbed.
    pub objective: Objective,
}

impl Fgsm {
    fn new(request: &Request) -> Result<Self, EngineError> {
        let settings = request.settings;
        let random = settings.choice("start") == "random";
        let goal = super::apgd::goal("ce", settings.count("targets"), request)?;
        Ok(Self {
            run: Run {
                threat: request.threat,
                radii: settings.count("radii"),
                objective: goal.objective,
            },
            restarts: if random { settings.count("restarts") } else { 1 },
            random,
            targets: goal.targets,
            eot: settings.count("eot"),
            notice: goal.notice,
        })
    }
}

impl Attack for Fgsm {
    fn rounds(&self) -> u32 {
        self.restarts * self.targets.max(1)
    }

    fn steps(&self) -> u32 {
        self.run.radii
    }

    fn cost(&self) -> Passes {
        let passes = u64::from(self.eot);
        Passes { forwards: passes + u64::from(self.run.radii), backwards: passes }
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

    fn gives_logits(&self) -> bool {
        false
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        let (threat, x) = (self.run.threat, &rows.images);
        let start = if self.random {
            let noise = geometry::noise(threat.norm(), x, rows.key, &rows.indices)?;
            Some(geometry::uniform_in_ball(threat, x, &noise, &noise::shares(rows)?)?)
        } else {
            None
        };
        Ok(Box::new(OneStep::begin(self.run, rows, start)))
    }
}

/// Where FGSM stands.
pub struct OneStep {
    run: Run,
    tried: u32,
    origins: Tensor,
    labels: Tensor,
    targets: Tensor,
    start: Option<Tensor>,
    direction: Option<Tensor>, // like the images, once it is known
}

impl OneStep {
    /// Begins at `start`, which lies in the ball, or at the clean images.
    #[must_use]
    pub fn begin(run: Run, rows: &Rows, start: Option<Tensor>) -> Self {
        Self {
            run,
            tried: 0,
            origins: rows.images.shallow_clone(),
            labels: rows.labels.shallow_clone(),
            targets: rows.targets.as_ref().unwrap_or(&rows.labels).shallow_clone(),
            start,
            direction: None,
        }
    }

    /// The direction of the step, in which the loss grows fastest where it begins.
    fn direction(&self, from: &Tensor, oracle: &Oracle) -> Result<Tensor, EngineError> {
        let ascent = oracle.ascent(from, &|logits, span| {
            self.run.objective.values(logits, &span.of(&self.labels)?, &span.of(&self.targets)?)
        })?;
        geometry::steepest_direction(self.run.threat.norm(), &ascent.gradient)
    }
}

impl State for OneStep {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let from = self.start.as_ref().unwrap_or(&self.origins);
        let direction = match self.direction.take() {
            Some(direction) => direction,
            None => self.direction(from, oracle)?,
        };
        self.tried += 1;
        let share = f64::from(self.tried) / f64::from(self.run.radii);
        let step = direction.f_mul_scalar(share * self.run.threat.eps().value())?;
        let mut images = from.f_add(&step)?.f_clamp(0.0, 1.0)?;
        if self.start.is_some() {
            images = geometry::shortened(self.run.threat, &images, &self.origins)?;
        }
        self.direction = Some(direction);
        Ok(Candidates { images, logits: None })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let mut tensors = vec![&mut self.origins, &mut self.labels, &mut self.targets];
        tensors.extend(&mut self.start);
        tensors.extend(&mut self.direction);
        tensors
    }
}
