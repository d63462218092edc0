//! Fast adaptive boundary attack: the nearest misclassified point, by stepping to the boundary of
//! the network's linearisation.
//!
//! Source: Croce and Hein 2020, Minimally Distorted Adversarial Examples with a Fast Adaptive
//! Boundary Attack; reference implementation fra31/auto-attack. From the same start its iterates
//! agree with the reference's `attack_single_run`.
//!
//! Update: with `df` the difference between another class's logit and the label's, and w its
//! gradient at x, the boundary is taken for the hyperplane `df + <w, . - x> = 0`, of all classes
//! the nearest one's (`fab`), or that of one target (`fab-t`). Let d and d0 be the shortest ways
//! there inside the box from x and from the clean x0, and a = min(`|d| / (|d| + |d0|)`,
//! `alpha_max`): then `x' = clip((1 - a)(x + eta d) + a (x0 + eta d0))`. A misclassified x' is a
//! candidate; the search goes on from `x0 + beta (x' - x0)`.
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 100 | 1 .. 100,000 |
//! | restarts | 1 (for each target); all but the first begin at eps / 2 | 1 .. |
//! | targets | 9 (`fab-t` only) | 1 .. 1000 |
//! | `alpha_max` | 0.1 | 0 .. 1 |
//! | eta | 1.05 | 1 .. 2 |
//! | beta | 0.9 | 0 .. 1 |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. A step takes two forward passes, and one backward
//! pass (`fab-t`) or one a class (`fab`).
//!
//! Other than in the reference a sample leaves as soon as a candidate lies within eps, and the way
//! to the hyperplane does not depend on the scale of w, so that tiny gradients serve as well.

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Attack, AttackSpec, Candidates, Request, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry::{self, Approach};
use crate::loss::logit_of;
use crate::model::{Oracle, Passes};
use crate::rows::choose;
use crate::settings::{RESTARTS, Range, Setting};

const SOURCE: &str = "Croce and Hein 2020, Minimally Distorted Adversarial Examples with a Fast \
                      Adaptive Boundary Attack; fra31/auto-attack";
const NORMS: &[Norm] = &Norm::ALL;
const STEPS: Setting =
    Setting { name: "steps", value: Range::Count(100, 1, 100_000), about: "steps" };
const ALPHA_MAX: Setting = Setting {
    name: "alpha_max",
    value: Range::Real(0.1, 0.0, 1.0),
    about: "largest weight of the way from the clean image",
};
const ETA: Setting = Setting {
    name: "eta",
    value: Range::Real(1.05, 1.0, 2.0),
    about: "how far to go beyond the boundary, in ways to it",
};
const BETA: Setting = Setting {
    name: "beta",
    value: Range::Real(0.9, 0.0, 1.0),
    about: "how much of the way from the clean image is kept after a success",
};

/// Towards the nearest boundary.
pub static SPEC: AttackSpec = AttackSpec {
    id: "fab",
    title: "Fast adaptive boundary attack",
    source: SOURCE,
    about: "Looks for the nearest misclassified point rather than for the highest loss, and needs no \
            step size. It takes the gradient of every class's logit in every step: with many \
            classes use fab-t.",
    norms: NORMS,
    search: Search::MinimumNorm,
    settings: &[STEPS, RESTARTS, ALPHA_MAX, ETA, BETA],
    make: |request| make(request, 0),
};

/// Towards the boundary with one class after the other.
pub static TARGETED: AttackSpec = AttackSpec {
    id: "fab-t",
    title: "Targeted fast adaptive boundary attack",
    source: SOURCE,
    about: "The same towards the boundary with each of the nine likeliest wrong classes in turn, at \
            one gradient a step. Part of AutoAttack.",
    norms: NORMS,
    search: Search::MinimumNorm,
    settings: &[
        STEPS,
        RESTARTS,
        Setting {
            name: "targets",
            value: Range::Count(9, 1, 1000),
            about: "so many likeliest wrong classes, one after the other",
        },
        ALPHA_MAX,
        ETA,
        BETA,
    ],
    make: |request| make(request, request.settings.count("targets")),
};

/// What FAB needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The norm to be small in; the radius serves for random starts alone.
    pub threat: Threat,
    /// Steps of a round.
    pub steps: u32,
    /// Largest weight of the way from the clean image.
    pub alpha_max: f64,
    /// How far to go beyond the boundary.
    pub eta: f64,
    /// What is kept after a success.
    pub beta: f64,
    /// Number of classes.
    pub classes: u32,
}

#[derive(Debug)]
struct Fab {
    run: Run,
    restarts: u32,
    targets: u32,
    notice: Option<String>,
}

fn make(request: &Request, targets: u32) -> Result<Box<dyn Attack>, EngineError> {
    let settings = request.settings;
    // FAB climbs no loss: of the goal only the number of targets counts.
    let goal = super::apgd::goal("margin", targets, request)?;
    Ok(Box::new(Fab {
        run: Run {
            threat: request.threat,
            steps: settings.count("steps"),
            alpha_max: settings.real("alpha_max"),
            eta: settings.real("eta"),
            beta: settings.real("beta"),
            classes: request.classes,
        },
        restarts: settings.count("restarts"),
        targets: goal.targets,
        notice: goal.notice,
    }))
}

impl Attack for Fab {
    fn rounds(&self) -> u32 {
        self.restarts * self.targets.max(1)
    }

    fn steps(&self) -> u32 {
        self.run.steps
    }

    fn cost(&self) -> Passes {
        let gradients = if self.targets > 0 { 1 } else { self.run.classes };
        let steps = u64::from(self.run.steps);
        Passes { forwards: 2 * steps, backwards: steps * u64::from(gradients) }
    }

    fn target_rank(&self, round: u32) -> Option<u32> {
        (self.targets > 0).then(|| round % self.targets + 1)
    }

    fn notice(&self) -> Option<String> {
        self.notice.clone()
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        let (threat, x) = (self.run.threat, &rows.images);
        let start = if rows.round < self.targets.max(1) {
            x.shallow_clone()
        } else {
            let noise = geometry::noise(threat.norm(), x, rows.key, &rows.indices)?;
            geometry::at_radius(threat.norm(), x, &noise, threat.eps().value() / 2.0)?
        };
        Ok(Box::new(Iterate::begin(self.run, rows, start)))
    }
}

/// Where a round of FAB stands.
pub struct Iterate {
    run: Run,
    origins: Tensor,
    labels: Tensor,
    targets: Option<Tensor>,
    current: Tensor,
}

impl Iterate {
    /// Begins at `start`; aims at the rows' targets where they have some.
    #[must_use]
    pub fn begin(run: Run, rows: &Rows, start: Tensor) -> Self {
        Self {
            run,
            origins: rows.images.shallow_clone(),
            labels: rows.labels.shallow_clone(),
            targets: rows.targets.as_ref().map(Tensor::shallow_clone),
            current: start,
        }
    }

    /// Where the next step takes the gradient.
    pub const fn current(&self) -> &Tensor {
        &self.current
    }

    /// The boundary's hyperplane at the current point: the difference of logits `[n]` and its
    /// gradient, like the images.
    fn boundary(&self, oracle: &Oracle) -> Result<(Tensor, Tensor), EngineError> {
        let (_, mut found) = oracle.gradients(&self.current, &|logits, span| {
            let own = logit_of(logits, &span.of(&self.labels)?)?;
            let against = |class: Tensor| Ok(logit_of(logits, &class)?.f_sub(&own)?);
            match &self.targets {
                Some(targets) => Ok(vec![against(span.of(targets)?)?]),
                None => (0..i64::from(self.run.classes))
                    .map(|class| against(span.of(&self.labels)?.f_full_like(class)?))
                    .collect(),
            }
        })?;
        if self.targets.is_some() {
            return Ok(found.swap_remove(0));
        }
        let norm = self.run.threat.norm();
        let mut distances = Vec::with_capacity(found.len());
        for (class, (difference, gradient)) in (0_i64..).zip(&found) {
            let length = geometry::dual_length(norm, gradient)?.f_add_scalar(1e-12)?;
            let distance = difference.f_abs()?.f_div(&length)?;
            let own = self.labels.f_eq(class)?;
            distances.push(distance.f_masked_fill(&own, f64::INFINITY)?);
        }
        let nearest = Tensor::f_stack(&distances, 1)?.f_argmin(1, false)?; // [n]
        let (mut difference, mut gradient) = found.swap_remove(0);
        // The first class now stands aside, and the last one in its place.
        let last = found.len() as i64;
        for (place, (other_difference, other_gradient)) in (0_i64..).zip(&found) {
            let class = if place == 0 { last } else { place };
            let chosen = nearest.f_eq(class)?;
            difference = choose(&chosen, other_difference, &difference)?;
            gradient = choose(&chosen, other_gradient, &gradient)?;
        }
        Ok((difference, gradient))
    }

    /// The next point.
    fn advance(&self, excess: &Tensor, gradient: &Tensor) -> Result<Tensor, EngineError> {
        let from = Approach {
            norm: self.run.threat.norm(),
            origins: &self.origins,
            current: &self.current,
            alpha_max: self.run.alpha_max,
            eta: self.run.eta,
        };
        geometry::approach(&from, gradient, excess)
    }
}

impl State for Iterate {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let (difference, gradient) = self.boundary(oracle)?;
        let images = self.advance(&difference, &gradient)?;
        let logits = oracle.logits(&images)?;
        let broken = logits.f_argmax(1, false)?.f_ne_tensor(&self.labels)?;
        let broken = Vec::<bool>::try_from(broken)?;
        self.current = geometry::drawn_back(&self.origins, &images, &broken, self.run.beta)?;
        Ok(Candidates { images, logits: Some(logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let mut tensors = vec![&mut self.origins, &mut self.labels, &mut self.current];
        tensors.extend(&mut self.targets);
        tensors
    }
}
