//! Simultaneous perturbation stochastic approximation: a gradient estimated from logits.
//!
//! Source: Uesato et al. 2018, Adversarial Risk and the Dangers of Evaluating Against Weak Attacks (after
//! Spall 1992). With the same directions its iterates agree with torchattacks' `SPSA`, in L2 with the
//! projection of torchattacks' `PGDL2`.
//!
//! Update: with S directions v of random signs and the margin m, the label's logit less the largest other
//! one, `g = mean((m(x + delta v) - m(x - delta v)) / (2 delta) v)`. Adam (Kingma and Ba 2015: 0.9, 0.999,
//! 1e-8) descends along g, and the point is projected onto the ball and the box. It begins at the clean
//! image.
//!
//! A step of Adam moves every number by about its rate. That rate is `step_size` eps in Linf, and in L2
//! with d numbers `step_size` eps over the root of d, so that the whole step has that length. In L1 such a
//! step would move every number by next to nothing: there it takes the largest entries of the gathered
//! gradient, a share `sparsity` of them, as PGD does.
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 100 | 1 .. 100,000 |
//! | samples | 128 directions a step | 1 .. 100,000 |
//! | delta | 0.01, of a pixel's range | above 0 .. 1 |
//! | `step_size` | 0.3 of eps | above 0 .. 2 |
//! | restarts | 1 | 1 .. |
//! | `sparsity` | 0.01 (L1 only) | above 0 .. 1 |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. A step takes 2 samples + 1 forward passes: 25,700 by
//! default.
//!
//! Other than in the reference every image has directions of its own (there a batch shares them), every
//! iterate is a candidate, not only the last one, and the clean image is none. As there the points that
//! are asked for may lie outside of the box, by delta.

use rand_chacha::ChaCha8Rng;
use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{Attack, AttackSpec, Candidates, Rows, Search, State};
use crate::adam::Adam;
use crate::error::EngineError;
use crate::geometry::{self, SparseStep};
use crate::loss;
use crate::model::{Oracle, Passes};
use crate::rng::{self, Purpose};
use crate::rows::per_row;
use crate::settings::{RESTARTS, Range, Setting};

/// Images that are asked for at once, on either side of the current ones.
const TOGETHER: u32 = 256;

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "spsa",
    title: "Simultaneous perturbation stochastic approximation (SPSA)",
    source: "Uesato et al. 2018, Adversarial Risk and the Dangers of Evaluating Against Weak Attacks \
             (torchattacks SPSA)",
    about: "Estimates the gradient of the margin from logits on both sides of the image in random \
            directions, and follows it with Adam. It needs no gradient, so that a model that hides or \
            shatters its gradient does not stop it, and it smooths over distances of delta. 25,700 queries \
            an image by default, most of which go into the estimate: where Square gets through, it \
            is cheaper.",
    norms: &Norm::ALL,
    search: Search::WithinBall,
    settings: &[
        Setting { name: "steps", value: Range::Count(100, 1, 100_000), about: "steps of Adam" },
        Setting {
            name: "samples",
            value: Range::Count(128, 1, 100_000),
            about: "random directions a step, of two queries each",
        },
        Setting {
            name: "delta",
            value: Range::Real(0.01, 1e-6, 1.0),
            about: "how far from the image it asks, in each number of it",
        },
        Setting {
            name: "step_size",
            value: Range::Real(0.3, 1e-6, 2.0),
            about: "length of a step in which all numbers move, in units of eps",
        },
        RESTARTS,
        Setting {
            name: "sparsity",
            value: Range::Real(0.01, 1e-6, 1.0),
            about: "in L1, share of an image's numbers that a step moves, those of the largest gradient",
        },
    ],
    make: |request| {
        let settings = request.settings;
        Ok(Box::new(Spsa {
            restarts: settings.count("restarts"),
            run: Run {
                threat: request.threat,
                steps: settings.count("steps"),
                samples: settings.count("samples"),
                delta: settings.real("delta"),
                step_size: settings.real("step_size"),
                sparsity: settings.real("sparsity"),
            },
        }))
    },
};

/// What a round of SPSA needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The ball.
    pub threat: Threat,
    /// Steps of Adam.
    pub steps: u32,
    /// Directions a step.
    pub samples: u32,
    /// How far from the current images it asks.
    pub delta: f64,
    /// Length of a step, in units of eps.
    pub step_size: f64,
    /// Share of an image's numbers that a step moves, where steps are sparse.
    pub sparsity: f64,
}

#[derive(Debug)]
struct Spsa {
    run: Run,
    restarts: u32,
}

impl Attack for Spsa {
    fn rounds(&self) -> u32 {
        self.restarts
    }

    fn steps(&self) -> u32 {
        self.run.steps
    }

    fn cost(&self) -> Passes {
        let queries = 2 * u64::from(self.run.samples) + 1;
        Passes { forwards: u64::from(self.run.steps) * queries, backwards: 0 }
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        let stream = |&index| rows.key.stream(Purpose::Draw, index);
        Ok(Box::new(Keyed {
            iterate: Iterate::begin(self.run, rows)?,
            streams: rows.indices.iter().map(stream).collect(),
        }))
    }
}

/// A descent whose directions come from the rows' own streams.
struct Keyed {
    iterate: Iterate,
    streams: Vec<ChaCha8Rng>,
}

impl State for Keyed {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let (like, streams) = (self.iterate.current.shallow_clone(), &mut self.streams);
        self.iterate.step(oracle, &mut |count| signs(streams, count, &like))
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let it = &mut self.iterate;
        let own = [&mut it.origins, &mut it.labels, &mut it.current];
        own.into_iter().chain(it.adam.tensors()).collect()
    }

    fn keep(&mut self, rows: &[usize]) {
        self.streams = rows.iter().map(|&row| self.streams[row].clone()).collect();
    }
}

/// So many directions for each stream, in the shape of its image: `[count n,c,h,w]`.
fn signs(streams: &mut [ChaCha8Rng], count: u32, like: &Tensor) -> Result<Tensor, EngineError> {
    let [n, c, h, w] = [0, 1, 2, 3].map(|dim| like.size()[dim]);
    let (rows, numbers) = (i64::from(count) * n, (c * h * w) as usize);
    let mut values = vec![0.0_f32; rows as usize * numbers];
    for direction in values.chunks_exact_mut((n as usize * numbers).max(1)) {
        for (row, stream) in direction.chunks_exact_mut(numbers).zip(streams.iter_mut()) {
            rng::fill_signs(stream, row);
        }
    }
    let signs = Tensor::f_from_slice(&values)?.f_view([rows, h, w, c])?.f_permute([0, 3, 1, 2])?;
    Ok(signs.f_to_device(like.device())?.f_to_kind(like.kind())?)
}

/// Gives so many directions of signs for each row, those of all rows side by side: `[count n,c,h,w]`.
pub type Draw<'a> = dyn FnMut(u32) -> Result<Tensor, EngineError> + 'a;

/// Where SPSA stands. What a row computes does not depend on the others.
pub struct Iterate {
    run: Run,
    taken: u32,
    origins: Tensor,
    labels: Tensor,
    current: Tensor,
    adam: Adam,
}

impl Iterate {
    /// Begins at the clean images.
    pub fn begin(run: Run, rows: &Rows) -> Result<Self, EngineError> {
        let origins = crate::layout::channels_last(&rows.images)?;
        Ok(Self {
            run,
            taken: 0,
            labels: rows.labels.shallow_clone(),
            current: origins.shallow_clone(),
            adam: Adam::of(&origins)?,
            origins,
        })
    }

    /// A step along directions that are drawn.
    pub fn step(&mut self, oracle: &Oracle, draw: &mut Draw) -> Result<Candidates, EngineError> {
        let gradient = self.estimate(oracle, draw)?;
        self.taken += 1;
        self.adam.gather(&gradient)?;
        self.current = self.advance()?;
        let images = self.current.shallow_clone();
        let logits = oracle.logits(&images)?;
        Ok(Candidates { images, logits: Some(logits) })
    }

    /// The gradient of the margin. Direction is added to direction in their order, in f64, however many
    /// are asked for at once: that depends on how many rows are left.
    fn estimate(&self, oracle: &Oracle, draw: &mut Draw) -> Result<Tensor, EngineError> {
        let (n, delta) = (self.labels.size()[0], self.run.delta);
        let mut sum = self.current.f_zeros_like()?.f_to_kind(Kind::Double)?;
        let mut left = self.run.samples;
        while left > 0 {
            let count = (TOGETHER / n.max(1) as u32).clamp(1, left);
            let directions = draw(count)?; // [count n,c,h,w]
            let labels = self.labels.f_repeat([i64::from(count)])?;
            let from = self.current.f_repeat([i64::from(count), 1, 1, 1])?;
            let margins = |delta: f64| {
                let images = from.f_add(&directions.f_mul_scalar(delta)?)?;
                let logits = oracle.logits_of_many(&images, count.into())?;
                Ok::<_, EngineError>(loss::margins(&logits, &labels)?.f_to_kind(Kind::Double)?)
            };
            let slopes = margins(delta)?.f_sub(&margins(-delta)?)?.f_div_scalar(2.0 * delta)?;
            for direction in 0..i64::from(count) {
                let of = |tensor: &Tensor| tensor.f_narrow(0, direction * n, n);
                sum = sum.f_add(&of(&directions)?.f_mul(&per_row(&of(&slopes)?)?)?)?;
            }
            left -= count;
        }
        let gradient = sum.f_div_scalar(f64::from(self.run.samples))?;
        Ok(gradient.f_to_kind(self.current.kind())?)
    }

    /// The next point.
    fn advance(&self) -> Result<Tensor, EngineError> {
        let (threat, current) = (self.run.threat, &self.current);
        let length = self.run.step_size * threat.eps().value();
        let numbers: i64 = current.size()[1..].iter().product();
        if !geometry::moves_sparsely(threat.norm()) {
            let rate = length / geometry::reaches_all(threat.norm(), numbers);
            let taken = vec![self.taken as i32; current.size()[0] as usize];
            let moved = current.f_sub(&self.adam.step(&taken)?.f_mul_scalar(rate)?)?;
            return geometry::project(threat, &moved, &self.origins);
        }
        let n = current.size()[0] as usize;
        let from = SparseStep {
            threat,
            origins: &self.origins,
            current,
            lengths: &vec![length; n],
            kept: &vec![geometry::kept(self.run.sparsity, numbers as usize); n],
        };
        geometry::ascend_sparsely(&from, &geometry::inwards(current, &self.adam.mean().f_neg()?)?)
    }
}
