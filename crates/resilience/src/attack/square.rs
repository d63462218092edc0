//! Square attack: random search over square windows, which needs no gradient.
//!
//! Source: Andriushchenko et al. 2020, Square Attack: a Query-efficient Black-box Adversarial
//! Attack via Random Search; reference implementation fra31/auto-attack. With the same windows its
//! queries agree with the reference's.
//!
//! Update (Linf): it begins with vertical stripes of plus and minus eps; a query moves one square
//! window of the best image, the same in each channel, by 2 eps up or down and cuts back to ball
//! and box. L2 and L1: it begins with a grid of windows that fall off from their centres; a query takes
//! what one window has and puts it, reshaped, into another. In L2 the change is then scaled to eps, in
//! L1 projected onto ball and box. A query that lowers the margin is kept.
//! The window's share of the image begins at `p_init` and is halved after 10, 50, 200, 500, 1,000,
//! 2,000, 4,000, 6,000 and 8,000 queries.
//!
//! | setting | default | range |
//! |---|---|---|
//! | queries | 5,000 (and one for the start) | 1 .. 1,000,000 |
//! | restarts | 1 | 1 .. |
//! | `p_init` | 0.8 | above 0 .. 1 |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. One forward pass a query. L2 and L1 need images of at
//! least 5 x 5 pixels.
//!
//! Other than in the reference every image has windows of its own (there a batch shares one), and
//! windows reach the last row and column, which there they do only where they fill the image.

use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{Attack, AttackSpec, Candidates, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::{Oracle, Passes};
use crate::rng::{Key, Purpose};
use crate::rows::{choose, copied, lay_over};
use crate::settings::{RESTARTS, Range, Setting};

mod bump;
mod window;

pub use window::{Draw, Start};

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "square",
    title: "Square attack",
    source: "Andriushchenko et al. 2020, Square Attack: a Query-efficient Black-box Adversarial \
             Attack via Random Search; fra31/auto-attack",
    about: "Moves square windows of pixels at random and keeps what lowers the margin. It sees \
            logits only, so that masked gradients do not stop it: where it breaks more than the \
            gradient attacks before it, their figure was not to be trusted. Part of AutoAttack, and \
            its most expensive one.",
    norms: &Norm::ALL,
    search: Search::WithinBall,
    settings: &[
        Setting {
            name: "queries",
            value: Range::Count(5000, 1, 1_000_000),
            about: "queries of the model after the first",
        },
        RESTARTS,
        Setting {
            name: "p_init",
            value: Range::Real(0.8, 1e-6, 1.0),
            about: "share of the image that a window covers at first",
        },
    ],
    make: |request| {
        Ok(Box::new(Square {
            threat: request.threat,
            queries: request.settings.count("queries"),
            restarts: request.settings.count("restarts"),
            p_init: request.settings.real("p_init"),
        }))
    },
};

#[derive(Debug)]
struct Square {
    threat: Threat,
    queries: u32,
    restarts: u32,
    p_init: f64,
}

impl Attack for Square {
    fn rounds(&self) -> u32 {
        self.restarts
    }

    fn steps(&self) -> u32 {
        self.queries + 1
    }

    fn cost(&self) -> Passes {
        Passes { forwards: u64::from(self.queries) + 1, backwards: 0 }
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        let walk = Walk::begin(self.threat, self.p_init, rows)?;
        Ok(Box::new(Keyed { walk, key: rows.key, indices: rows.indices.clone() }))
    }
}

/// A search whose draws come from the rows' own streams.
struct Keyed {
    walk: Walk,
    key: Key,
    indices: Vec<u64>,
}

impl State for Keyed {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let [_, c, h, w] = self.walk.size();
        if self.walk.queries == 0 {
            let mut start = Start::default();
            for &index in &self.indices {
                start.draw(
                    &mut self.key.stream(Purpose::Start, index),
                    self.walk.stripes(),
                    [c, h, w],
                );
            }
            return self.walk.begin_with(oracle, &start);
        }
        let mut draw = Draw::default();
        for &index in &self.indices {
            let mut rng = self.key.step(index, self.walk.queries);
            draw.row(&mut rng, c, self.walk.side(), [h, w]);
        }
        self.walk.query(oracle, &draw)
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        self.walk.tensors()
    }

    fn keep(&mut self, rows: &[usize]) {
        self.indices = rows.iter().map(|&row| self.indices[row]).collect();
    }
}

/// Where the search stands.
pub struct Walk {
    threat: Threat,
    p_init: f64,
    /// Queries made, that of the start included.
    queries: u32,
    origins: Tensor,
    labels: Tensor,
    best: Tensor,   // a copy, which better rows are written into
    margin: Tensor, // [n]
}

impl Walk {
    /// Nothing is asked yet.
    pub fn begin(threat: Threat, p_init: f64, rows: &Rows) -> Result<Self, EngineError> {
        let size = rows.images.size();
        if !geometry::limits_each_pixel(threat.norm()) && size[2].min(size[3]) < 5 {
            return Err(EngineError::Input {
                what: "image for the Square attack in this norm",
                expected: "at least 5 x 5 pixels".to_owned(),
                found: format!("{} x {}", size[2], size[3]),
            });
        }
        let origins = crate::layout::channels_last(&rows.images)?;
        Ok(Self {
            threat,
            p_init,
            queries: 0,
            labels: rows.labels.shallow_clone(),
            best: copied(&origins)?,
            margin: Tensor::f_zeros([size[0]], (origins.kind(), origins.device()))?,
            origins,
        })
    }

    /// Rows, channels, height, width.
    fn size(&self) -> [i64; 4] {
        let size = self.origins.size();
        [size[0], size[1], size[2], size[3]]
    }

    /// Whether it begins with stripes rather than with a grid.
    fn stripes(&self) -> bool {
        geometry::limits_each_pixel(self.threat.norm())
    }

    /// The side of the next query's window, in pixels.
    #[must_use]
    pub fn side(&self) -> i64 {
        let [.., h, w] = self.size();
        let p = share(self.p_init, self.queries.saturating_sub(1));
        let side = (p * (h * w) as f64).sqrt().round() as i64;
        let side = if self.stripes() { side.max(1) } else { side.max(3) | 1 };
        side.min(h).min(w)
    }

    /// The first query.
    pub fn begin_with(
        &mut self,
        oracle: &Oracle,
        start: &Start,
    ) -> Result<Candidates, EngineError> {
        let images = if self.stripes() {
            window::stripes(&self.origins, start, self.threat)?
        } else {
            window::grid(&self.origins, start, self.threat)?
        };
        let logits = oracle.logits(&images)?;
        self.margin = loss::margins(&logits, &self.labels)?;
        self.best = copied(&images)?;
        self.queries = 1;
        Ok(Candidates { images, logits: Some(logits) })
    }

    /// A query with these windows, kept where it lowers the margin.
    pub fn query(&mut self, oracle: &Oracle, draw: &Draw) -> Result<Candidates, EngineError> {
        let side = self.side();
        let images = if self.stripes() {
            window::shifted(&self.origins, &self.best, draw, side, self.threat)?
        } else {
            window::swapped(&self.origins, &self.best, draw, side, self.threat)?
        };
        let logits = oracle.logits(&images)?;
        let margin = loss::margins(&logits, &self.labels)?;
        let better = margin.f_lt_tensor(&self.margin)?.f_logical_or(&margin.f_le(0.0)?)?;
        self.margin = choose(&better, &margin, &self.margin)?;
        lay_over(&mut self.best, Vec::<bool>::try_from(better)?.into_iter(), &images)?;
        self.queries += 1;
        Ok(Candidates { images, logits: Some(logits) })
    }

    /// The best candidates so far, `[n,c,h,w]`.
    pub const fn best(&self) -> &Tensor {
        &self.best
    }

    /// Every tensor that has to lose the rows which are done.
    pub fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.origins, &mut self.labels, &mut self.best, &mut self.margin]
    }
}

/// The share of the image that a window covers after so many queries.
fn share(p_init: f64, queries: u32) -> f64 {
    let halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];
    let passed = halvings.iter().filter(|&&after| queries > after).count() as i32;
    p_init / 2_f64.powi(passed)
}

/// One for each row, as a tensor `[n,1,1,1]` of whole numbers.
fn column(values: &[i64]) -> Result<Tensor, EngineError> {
    Ok(Tensor::f_from_slice(values)?.f_view([-1, 1, 1, 1])?)
}

/// Signs as a tensor `[n, a, b, c]`.
fn signs(values: &[f32], shape: [i64; 4], kind: Kind) -> Result<Tensor, EngineError> {
    Ok(Tensor::f_from_slice(values)?.f_view(shape)?.f_to_kind(kind)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch another schedule: the sides of the windows that the reference has for CIFAR.
    #[test]
    fn windows_shrink_as_in_the_reference() {
        let images = Tensor::zeros([1, 3, 32, 32], (Kind::Float, tch::Device::Cpu));
        let rows = Rows {
            images,
            labels: Tensor::from_slice(&[0_i64]),
            targets: None,
            indices: vec![0],
            key: Key::new(0, "square", 0),
            round: 0,
        };
        let threat = Threat::new(Norm::Linf, "8/255".parse().unwrap()).unwrap();
        let mut walk = Walk::begin(threat, 0.8, &rows).unwrap();
        let mut sides = Vec::new();
        for queries in 1..=4002 {
            walk.queries = queries;
            if sides.last().is_none_or(|&(_, side)| side != walk.side()) {
                sides.push((queries - 1, walk.side()));
            }
        }
        let expected =
            [(0, 29), (11, 20), (51, 14), (201, 10), (501, 7), (1001, 5), (2001, 4), (4001, 3)];
        assert_eq!(sides, expected);
    }
}
