//! `DeepFool`: the nearest boundary of the network's linearisation, step by step.
//!
//! Source: Moosavi-Dezfooli, Fawzi and Frossard 2016, `DeepFool`: a Simple and Accurate Method to Fool
//! Deep Neural Networks. Its iterates agree with foolbox's `L2DeepFoolAttack` and
//! `LinfDeepFoolAttack`.
//!
//! Update: of the `candidates` - 1 likeliest wrong classes of the clean image the one is taken whose
//! boundary is nearest at x, in the linearisation of the difference `df` of its logit and the label's:
//! at distance `|df| / |w|*`, w being the gradient of `df` and `|w|*` its length in the dual norm. The
//! way there is added to those before it, and `x' = clip(x0 + (1 + overshoot) sum of the ways)`. A
//! misclassified x stays where it is.
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 50 | 1 .. 100,000 |
//! | candidates | 10 | 2 .. 1000 |
//! | overshoot | 0.02 | 0 .. 10 |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. Steps + 2 forward passes, and `candidates` - 1 backward
//! passes a step. There is no L1: the way would be one number's, which is soon at the border of the box
//! (FAB and FMN know L1).

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Attack, AttackSpec, Candidates, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry;
use crate::loss::{logit_of, ranked_class};
use crate::model::{Oracle, Passes};
use crate::rows::{choose, per_row};
use crate::settings::{Range, Setting};

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "deepfool",
    title: "DeepFool",
    source: "Moosavi-Dezfooli et al. 2016, DeepFool: a Simple and Accurate Method to Fool Deep Neural \
             Networks; foolbox L2DeepFoolAttack and LinfDeepFoolAttack",
    about: "Walks to the nearest class boundary as if the network were linear, again and again, until \
            the image is misclassified. It is cheap, and its distances were the first that papers \
            compared; but it stops at the first misclassified point that it meets, never comes back \
            towards the clean image, and fails where gradients are masked. FAB and FMN find nearer \
            points: a distance by DeepFool alone flatters a model.",
    norms: &[Norm::Linf, Norm::L2],
    search: Search::MinimumNorm,
    settings: &[
        Setting { name: "steps", value: Range::Count(50, 1, 100_000), about: "steps" },
        Setting {
            name: "candidates",
            value: Range::Count(10, 2, 1000),
            about: "likeliest classes that are looked at, the image's own included",
        },
        Setting {
            name: "overshoot",
            value: Range::Real(0.02, 0.0, 10.0),
            about: "how far to go beyond the boundary, in ways to it",
        },
    ],
    make: |request| {
        let settings = request.settings;
        // A model of fewer classes has fewer to look at, which leaves nothing out.
        let asked = settings.count("candidates") - 1;
        Ok(Box::new(DeepFool(Run {
            threat: request.threat,
            steps: settings.count("steps"),
            others: asked.min(request.classes.saturating_sub(1)).max(1),
            overshoot: settings.real("overshoot"),
        })))
    },
};

/// Added to the dual length of a gradient, and to the distance of a boundary, by the reference.
const LENGTH: f64 = 1e-8;
const DISTANCE: f64 = 1e-4;

#[derive(Debug)]
struct DeepFool(Run);

/// What the attack needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The norm to be small in; the radius plays no part.
    pub threat: Threat,
    /// Steps.
    pub steps: u32,
    /// Wrong classes that are looked at.
    pub others: u32,
    /// How far to go beyond the boundary.
    pub overshoot: f64,
}

impl Attack for DeepFool {
    fn rounds(&self) -> u32 {
        1
    }

    fn steps(&self) -> u32 {
        self.0.steps + 1
    }

    fn cost(&self) -> Passes {
        let steps = u64::from(self.0.steps);
        Passes { forwards: steps + 2, backwards: steps * u64::from(self.0.others) }
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        Ok(Box::new(Iterate::begin(self.0, rows)?))
    }
}

/// Where the attack stands.
pub struct Iterate {
    run: Run,
    left: u32,
    origins: Tensor,
    labels: Tensor,
    current: Tensor,
    ways: Tensor,           // like the images, the sum of all ways
    others: Option<Tensor>, // [n, others], the wrong classes by their logits
}

impl Iterate {
    /// Begins at the clean images.
    pub fn begin(run: Run, rows: &Rows) -> Result<Self, EngineError> {
        Ok(Self {
            run,
            left: run.steps,
            origins: rows.images.shallow_clone(),
            labels: rows.labels.shallow_clone(),
            current: rows.images.shallow_clone(),
            ways: rows.images.f_zeros_like()?,
            others: None,
        })
    }

    /// The likeliest wrong classes of the clean images.
    fn others(&mut self, oracle: &Oracle) -> Result<Tensor, EngineError> {
        if self.others.is_none() {
            let logits = oracle.logits(&self.origins)?;
            let ranks = 1..=i64::from(self.run.others);
            let ranked = ranks.map(|rank| ranked_class(&logits, &self.labels, rank));
            let ranked = ranked.collect::<Result<Vec<_>, _>>()?;
            self.others = Some(Tensor::f_stack(&ranked, 1)?);
        }
        Ok(self.others.as_ref().map_or_else(Tensor::new, Tensor::shallow_clone))
    }

    /// The way to the nearest boundary: `found` are the differences `[n]` of logits and their gradients,
    /// one a class.
    fn way(&self, found: &[(Tensor, Tensor)]) -> Result<Tensor, EngineError> {
        let norm = self.run.threat.norm();
        let mut nearest: Option<(Tensor, Tensor)> = None;
        for (difference, gradient) in found {
            let length = geometry::dual_length(norm, gradient)?.f_add_scalar(LENGTH)?;
            let distance = difference.f_abs()?.f_div(&length)?;
            nearest = Some(match nearest {
                None => (distance, gradient.shallow_clone()),
                Some((least, best)) => {
                    let nearer = distance.f_lt_tensor(&least)?;
                    let best = choose(&nearer, gradient, &best)?;
                    (distance.f_where_self(&nearer, &least)?, best)
                }
            });
        }
        let Some((distance, gradient)) = nearest else { return Ok(self.ways.f_zeros_like()?) };
        let direction = geometry::steepest_direction(norm, &gradient)?;
        Ok(direction.f_mul(&per_row(&distance.f_add_scalar(DISTANCE)?)?)?)
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
        let others = self.others(oracle)?;
        let (logits, found) = oracle.gradients(&images, &|logits, span| {
            let own = logit_of(logits, &span.of(&self.labels)?)?;
            let others = span.of(&others)?;
            (0..i64::from(self.run.others))
                .map(|place| Ok(logit_of(logits, &others.f_select(1, place)?)?.f_sub(&own)?))
                .collect()
        })?;
        self.ways = self.ways.f_add(&self.way(&found)?)?;
        let further = self.ways.f_mul_scalar(1.0 + self.run.overshoot)?;
        let moved = self.origins.f_add(&further)?.f_clamp(0.0, 1.0)?;
        let broken = logits.f_argmax(1, false)?.f_ne_tensor(&self.labels)?;
        // The clean image itself is no find, whatever a close call or a noisy pass says of it.
        let away = geometry::distance(self.run.threat.norm(), &images, &self.origins)?.f_gt(0.0)?;
        self.current = choose(&broken.f_logical_and(&away)?, &images, &moved)?;
        Ok(Candidates { images, logits: Some(logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let mut tensors =
            vec![&mut self.origins, &mut self.labels, &mut self.current, &mut self.ways];
        tensors.extend(&mut self.others);
        tensors
    }
}
