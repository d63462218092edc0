//! Fast minimum-norm attack: gradient steps in a ball that shrinks where they succeed and grows where
//! they fail.
//!
//! Source: Pintor, Roli, Brendel and Biggio 2021, Fast Minimum-norm Adversarial Attacks through Adaptive
//! Norm Constraints. Its iterates agree with foolbox's `LInfFMNAttack`; with those of `L2FMNAttack` and
//! `L1FMNAttack` where these project as we do (see below).
//!
//! Update, with the margin z of the label (its logit less the largest other one) and its gradient g at
//! x, and a schedule that falls along half a cosine from `step_size` to a hundredth of it, and gamma
//! likewise to 0.001:
//!
//! - the radius: where x is misclassified `min(radius (1 - gamma), the smallest distance so far)`; where
//!   it is not, `radius (1 + gamma)` if it has been, else where the linearised boundary lies, `|x - x0| +
//!   |z| / |g|*` with the dual length; and never more than all of the box;
//! - the point: `x <- project(x - step g / |g|_2)`, onto the ball of that radius and the box.
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 100 | 1 .. 100,000 |
//! | `step_size` | 1.0 | above 0 .. 1000; a length in L2, whatever the norm |
//! | gamma | 0.05 | 0.001 .. 1 |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. Steps + 1 forward and steps backward passes.
//!
//! Other than in foolbox: the last point is looked at too; in L2 foolbox 3.3.4 divides a length by
//! itself, and so does not project at all; in L1 it projects onto the ball and clips then, which is
//! another point than the nearest of both.

use std::f64::consts::PI;

use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{Attack, AttackSpec, Candidates, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry;
use crate::loss::margins;
use crate::model::{Oracle, Passes};
use crate::settings::{EOT, Range, Setting};

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "fmn",
    title: "Fast minimum-norm attack",
    source: "Pintor et al. 2021, Fast Minimum-norm Adversarial Attacks through Adaptive Norm \
             Constraints; foolbox LInfFMNAttack, L2FMNAttack, L1FMNAttack",
    about: "Looks for the nearest misclassified point: steps along the margin's gradient within a ball \
            whose radius shrinks after a success and grows after a failure. One gradient a step, \
            whatever the number of classes, so that the distances of all images, and with them the \
            whole curve of accuracy against eps, cost about as much as PGD at one eps. It follows \
            gradients and fails where they are masked; its steps are of one length for all images, \
            which may be too long for a model whose boundaries are very near.",
    norms: &Norm::ALL,
    search: Search::MinimumNorm,
    settings: &[
        Setting { name: "steps", value: Range::Count(100, 1, 100_000), about: "gradient steps" },
        Setting {
            name: "step_size",
            value: Range::Real(1.0, 1e-6, 1000.0),
            about: "length of the first step, in L2; it falls to a hundredth",
        },
        Setting {
            name: "gamma",
            value: Range::Real(0.05, LAST_GAMMA, 1.0),
            about: "share by which the radius shrinks or grows at first; it falls to 0.001",
        },
        EOT,
    ],
    make: |request| {
        let settings = request.settings;
        Ok(Box::new(Fmn {
            run: Run {
                threat: request.threat,
                steps: settings.count("steps"),
                step_size: settings.real("step_size"),
                gamma: settings.real("gamma"),
            },
            eot: settings.count("eot"),
        }))
    },
};

/// Where the change of the radius ends.
const LAST_GAMMA: f64 = 0.001;
/// What the last step is of the first.
const LAST_STEP: f64 = 0.01;

#[derive(Debug)]
struct Fmn {
    run: Run,
    eot: u32,
}

/// What FMN needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The norm to be small in; the radius plays no part.
    pub threat: Threat,
    /// Gradient steps.
    pub steps: u32,
    /// Length of the first step, in L2.
    pub step_size: f64,
    /// Share by which the radius changes at first.
    pub gamma: f64,
}

impl Attack for Fmn {
    fn rounds(&self) -> u32 {
        1
    }

    fn steps(&self) -> u32 {
        self.run.steps + 1
    }

    fn cost(&self) -> Passes {
        let passes = u64::from(self.run.steps) * u64::from(self.eot);
        Passes { forwards: passes + 1, backwards: passes }
    }

    fn eot(&self) -> u32 {
        self.eot
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        Ok(Box::new(Iterate::begin(self.run, rows)?))
    }
}

/// Where FMN stands.
pub struct Iterate {
    run: Run,
    done: u32,
    origins: Tensor,
    labels: Tensor,
    current: Tensor,
    radii: Vec<Radius>,
}

/// The ball of an image.
#[derive(Clone, Copy, Debug)]
struct Radius {
    /// Its radius.
    eps: f64,
    /// The smallest distance of a misclassified point so far; none yet: infinite.
    least: f64,
    /// That of the farthest point of the box.
    most: f64,
}

impl Iterate {
    /// Begins at the clean images.
    pub fn begin(run: Run, rows: &Rows) -> Result<Self, EngineError> {
        let x = &rows.images;
        let far = x.f_maximum(&x.f_neg()?.f_add_scalar(1.0)?)?;
        let most = geometry::distance(run.threat.norm(), &far, &far.f_zeros_like()?)?;
        let radius = |most| Radius { eps: f64::INFINITY, least: f64::INFINITY, most };
        Ok(Self {
            run,
            done: 0,
            origins: x.shallow_clone(),
            labels: rows.labels.shallow_clone(),
            current: x.shallow_clone(),
            radii: Vec::<f64>::try_from(most)?.into_iter().map(radius).collect(),
        })
    }

    /// From `first` to `last` along half a cosine.
    fn scheduled(&self, first: f64, last: f64) -> f64 {
        let share = f64::from(self.done) / f64::from(self.run.steps);
        last + (first - last) * (1.0 + (PI * share).cos()) / 2.0
    }

    /// The radii after a look at the current points: their margins, and the dual lengths of the
    /// gradients there.
    fn adapt(
        &mut self,
        logits: &Tensor,
        margins: &[f64],
        slopes: &[f64],
    ) -> Result<(), EngineError> {
        let gamma = self.scheduled(self.run.gamma, LAST_GAMMA);
        let broken = logits.f_argmax(1, false)?.f_ne_tensor(&self.labels)?;
        let broken = Vec::<bool>::try_from(broken)?;
        let norm = self.run.threat.norm();
        let distances = geometry::distance(norm, &self.current, &self.origins)?;
        let distances = Vec::<f64>::try_from(distances)?;
        for (row, radius) in self.radii.iter_mut().enumerate() {
            // A model that answers otherwise than when it was asked first, or is too close to call, may
            // call the clean image misclassified: no radius of 0 leads anywhere from there.
            let eps = if broken[row] && distances[row] > 0.0 {
                radius.least = radius.least.min(distances[row]);
                (radius.eps * (1.0 - gamma)).min(radius.least)
            } else if radius.least.is_finite() {
                radius.eps * (1.0 + gamma)
            } else {
                distances[row] + margins[row].abs() / slopes[row]
            };
            // A slope of 0 points nowhere: the ball is then the whole box.
            let moves = eps.is_finite() && eps > 0.0;
            radius.eps = if moves { eps.min(radius.most) } else { radius.most };
        }
        Ok(())
    }
}

impl State for Iterate {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let images = self.current.shallow_clone();
        if self.done == self.run.steps {
            let logits = oracle.logits(&images)?;
            return Ok(Candidates { images, logits: Some(logits) });
        }
        let norm = self.run.threat.norm();
        let ascent = oracle.ascent(&images, &|logits, span| {
            Ok(margins(logits, &span.of(&self.labels)?)?.f_neg()?)
        })?;
        let doubles = |tensor: &Tensor| -> Result<Vec<f64>, EngineError> {
            Ok(Vec::try_from(tensor.f_to_kind(Kind::Double)?)?)
        };
        let slopes = doubles(&geometry::dual_length(norm, &ascent.gradient)?)?;
        self.adapt(&ascent.logits, &doubles(&ascent.losses)?, &slopes)?;
        let step = self.scheduled(self.run.step_size, self.run.step_size * LAST_STEP);
        let direction = geometry::steepest_direction(Norm::L2, &ascent.gradient)?;
        let moved = images.f_add(&direction.f_mul_scalar(step)?)?;
        let radii: Vec<f64> = self.radii.iter().map(|radius| radius.eps).collect();
        self.current = geometry::project_each(norm, &moved, &self.origins, &radii)?;
        self.done += 1;
        Ok(Candidates { images, logits: Some(ascent.logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.origins, &mut self.labels, &mut self.current]
    }

    fn keep(&mut self, rows: &[usize]) {
        self.radii = rows.iter().map(|&row| self.radii[row]).collect();
    }
}
