//! `HopSkipJump`: along the boundary towards the clean image, by nothing but the predicted class.
//!
//! Source: Chen, Jordan and Wainwright 2020, `HopSkipJumpAttack`: A Query-Efficient Decision-Based Attack.
//! From the same point and with the same directions its queries and points are those of foolbox's
//! `HopSkipJumpAttack` on one image.
//!
//! It asks for uniform noise until some is misclassified, and blends the clean image with it by fiftieths
//! until the class turns. Then, in step t from 0, with d numbers an image and D the distance of its point:
//!
//! 1. x is where the way back to the clean image meets the boundary, by bisection to a share of the way
//!    of `probe` over the root of d (L2: the straight way) or over d (Linf: changes cut off).
//! 2. `g = mean((s - mean(s)) u)` over `samples sqrt(t + 1)` random directions u of length 1 in L2, clipped
//!    to the box at x + delta u, where s is 1 if that is misclassified and else -1 (the mean is not taken
//!    off where all are alike); delta is 0.1 in the first step, then `probe` D.
//! 3. The step goes from x along g / |g| (L2) or its sign (Linf), `D / sqrt(t + 1)` far, halved until it ends
//!    at a misclassified point.
//!
//! It looks at which class comes first and at nothing else of what the model says.
//!
//! | setting | default | range |
//! |---|---|---|
//! | queries | 25,000 | 1 .. 1,000,000 |
//! | samples | 100, at most 10,000 in later steps | 1 .. 10,000 |
//! | probe | 0.01 of the distance | above 0 .. 1 |
//! | restarts | 1 | 1 .. |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. One forward pass a query.
//!
//! Other than in the reference the budget is queries, not steps, and every query is a candidate, those of
//! the noise and of the directions too. foolbox divides the gradients of a batch by one length, that of all
//! of them together, so that an image's steps depend on its company; here each has its own, as in ART's
//! `HopSkipJump` (which takes for D that before the way back to the boundary). `probe` is ART's; the paper and
//! foolbox take 1 / d, at which distance the rounding of f32 decides too. Where no noise is misclassified, it goes on drawing until the queries are used up: the clean
//! image stays what was found, where foolbox raises an error. There is no L1, as nowhere else: steps of one
//! number at a time lead nowhere.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::{IntoParallelRefMutIterator, ParallelIterator};
use resilience_core::threat::Norm;
use tch::{Device, Kind, Tensor};

use super::{Attack, AttackSpec, Candidates, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry;
use crate::host::Pixels;
use crate::model::{Oracle, Passes};
use crate::rng::{self, Purpose};
use crate::settings::{RESTARTS, Range, Setting};
use crate::threads;

mod walk;

pub use walk::{Draws, Run, Walk};

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "hopskipjump",
    title: "HopSkipJump",
    source: "Chen, Jordan and Wainwright 2020, HopSkipJumpAttack: A Query-Efficient Decision-Based \
             Attack (foolbox HopSkipJumpAttack)",
    about: "Walks along the boundary towards the clean image and sees nothing but which class comes first: \
            the attacker who has only a label. Neither masked gradients nor rounded or hidden scores stop \
            it, and what it breaks is broken for anybody. 25,000 queries an image by default, one forward \
            pass each; the first fifty or so go into a misclassified point to begin at, which is \
            noise, and with a few thousand the distances are still several times too long. An attack that \
            sees logits or gradients finds nearer points for less, so that what this one leaves is \
            no sign of robustness.",
    norms: &[Norm::Linf, Norm::L2],
    search: Search::MinimumNorm,
    settings: &[
        Setting {
            name: "queries",
            value: Range::Count(25_000, 1, 1_000_000),
            about: "queries of the model",
        },
        Setting {
            name: "samples",
            value: Range::Count(100, 1, walk::MOST_SAMPLES),
            about: "random directions of the first step; later ones take more, as the root of their number",
        },
        Setting {
            name: "probe",
            value: Range::Real(0.01, 1e-6, 1.0),
            about: "how far from the boundary it asks in random directions, as a share of the distance",
        },
        RESTARTS,
    ],
    make: |request| {
        let settings = request.settings;
        Ok(Box::new(HopSkipJump {
            queries: settings.count("queries"),
            restarts: settings.count("restarts"),
            run: Run {
                norm: request.threat.norm(),
                samples: settings.count("samples"),
                probe: settings.real("probe"),
            },
        }))
    },
};

#[derive(Debug)]
struct HopSkipJump {
    run: Run,
    queries: u32,
    restarts: u32,
}

impl Attack for HopSkipJump {
    fn rounds(&self) -> u32 {
        self.restarts
    }

    fn steps(&self) -> u32 {
        self.queries
    }

    fn cost(&self) -> Passes {
        Passes { forwards: self.queries.into(), backwards: 0 }
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        let origins = origins(&rows.images)?.into_iter();
        let walks = origins.zip(&rows.indices).map(|(origin, &index)| {
            let stream = rows.key.stream(Purpose::Draw, index);
            Walk::new(self.run, origin, Box::new(Keyed { stream, norm: self.run.norm }))
        });
        Ok(Box::new(Walks::new(walks.collect(), rows)))
    }
}

/// Draws from a row's own stream.
struct Keyed {
    stream: ChaCha8Rng,
    norm: Norm,
}

impl Draws for Keyed {
    fn image(&mut self, numbers: &mut [f64]) {
        numbers.fill_with(|| rng::uniform(&mut self.stream));
    }

    fn direction(&mut self, numbers: &mut [f64]) {
        let mut drawn = vec![0.0; numbers.len()];
        geometry::fill(self.norm)(&mut self.stream, &mut drawn);
        for (number, drawn) in numbers.iter_mut().zip(drawn) {
            *number = drawn.into();
        }
    }
}

/// The clean images, number by number with the channels side by side.
pub fn origins(images: &Tensor) -> Result<Vec<Vec<f64>>, EngineError> {
    let numbers: i64 = images.size()[1..].iter().product();
    let pixels = Pixels::<f64>::of(images)?;
    Ok(pixels.chunks_exact((numbers as usize).max(1)).map(<[f64]>::to_vec).collect())
}

/// A walk for every row, each at a point of its own. All ask once in every step, so that none waits.
pub struct Walks {
    each: Vec<Walk>,
    labels: Tensor, // [n]
    shape: [i64; 3],
    like: (Kind, Device),
}

impl Walks {
    /// One for each of the rows.
    #[must_use]
    pub fn new(each: Vec<Walk>, rows: &Rows) -> Self {
        Self {
            each,
            labels: rows.labels.shallow_clone(),
            shape: [1, 2, 3].map(|dim| rows.images.size()[dim]),
            like: (rows.images.kind(), rows.images.device()),
        }
    }

    /// That of each row.
    #[must_use]
    pub fn walks(&self) -> &[Walk] {
        &self.each
    }

    /// What they ask for, `[n,c,h,w]`.
    fn queries(&mut self) -> Result<Tensor, EngineError> {
        let ([c, h, w], (kind, device)) = (self.shape, self.like);
        let walks = &mut self.each;
        threads::shared(|| walks.par_iter_mut().for_each(Walk::ask));
        let asked: Vec<f64> = walks.iter().flat_map(|walk| walk.asked().iter().copied()).collect();
        let images = Tensor::f_from_slice(&asked)?.f_view([-1, h, w, c])?;
        Ok(images.f_permute([0, 3, 1, 2])?.f_to_kind(kind)?.f_to_device(device)?)
    }
}

impl State for Walks {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let images = self.queries()?;
        let logits = oracle.logits(&images)?;
        // Nothing else of the logits is looked at.
        let others = logits.f_argmax(1, false)?.f_ne_tensor(&self.labels)?;
        for (walk, other) in self.each.iter_mut().zip(Vec::<bool>::try_from(others)?) {
            walk.hear(other)?;
        }
        Ok(Candidates { images, logits: Some(logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.labels]
    }

    fn keep(&mut self, rows: &[usize]) {
        let mut walks: Vec<_> = std::mem::take(&mut self.each).into_iter().map(Some).collect();
        self.each = rows.iter().filter_map(|&row| walks[row].take()).collect();
    }
}
