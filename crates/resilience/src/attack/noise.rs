//! Random noise: what a perturbation does that is not aimed. A baseline, not an attack.
//!
//! Update: x' = clip(x + n, 0, 1), where n is uniform in the ball (`noise-uniform`) or Gaussian and
//! cut back to the ball (`noise-gaussian`: standard deviation eps / 2 for Linf; with d numbers an
//! image eps / sqrt(d) for L2 and eps sqrt(pi / 2) / d for L1, whose mean length is eps). Each restart draws anew; a sample counts as broken when any draw
//! breaks it.
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. One forward pass an image and draw, no gradient.

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Attack, AttackSpec, Candidates, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry;
use crate::model::{Oracle, Passes};
use crate::rng::{self, Purpose};
use crate::settings::{Range, Setting};

const DRAWS: Setting = Setting {
    name: "restarts",
    value: Range::Count(20, 1, 100_000),
    about: "draws for each image",
};

/// Noise uniform in the ball.
pub static UNIFORM: AttackSpec = AttackSpec {
    id: "noise-uniform",
    title: "Uniform noise (a baseline)",
    source: "folklore; for Linf every pixel is uniform in [-eps, eps], else the point is uniform \
             in the ball",
    about: "Draws points of the ball at random. It says what perturbations do that nobody aimed: a \
            model that falls here has no need of an attack. That a model withstands it says nothing \
            of attacks.",
    norms: &Norm::ALL,
    search: Search::WithinBall,
    settings: &[DRAWS],
    make: |request| make(request.threat, request.settings.count("restarts"), Kind::Uniform),
};

/// Gaussian noise.
pub static GAUSSIAN: AttackSpec = AttackSpec {
    id: "noise-gaussian",
    title: "Gaussian noise (a baseline)",
    source: "folklore; standard deviation eps / 2 for Linf, such that the mean length is eps for L2 \
             and L1, cut back to the ball",
    about: "Adds independent Gaussian noise of about the ball's size and cuts it back to the ball. A \
            baseline like noise-uniform, nearer to what sensors do.",
    norms: &Norm::ALL,
    search: Search::WithinBall,
    settings: &[DRAWS],
    make: |request| make(request.threat, request.settings.count("restarts"), Kind::Gaussian),
};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Uniform,
    Gaussian,
}

#[derive(Debug)]
struct Noise {
    threat: Threat,
    draws: u32,
    kind: Kind,
}

// The registry's `make` may fail for other attacks.
#[expect(clippy::unnecessary_wraps, reason = "one signature for all attacks")]
fn make(threat: Threat, draws: u32, kind: Kind) -> Result<Box<dyn Attack>, EngineError> {
    Ok(Box::new(Noise { threat, draws, kind }))
}

impl Attack for Noise {
    fn rounds(&self) -> u32 {
        self.draws
    }

    fn steps(&self) -> u32 {
        1
    }

    fn cost(&self) -> Passes {
        Passes { forwards: 1, backwards: 0 }
    }

    fn gives_logits(&self) -> bool {
        false
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        let (threat, x) = (self.threat, &rows.images);
        let images = match self.kind {
            Kind::Uniform => {
                let noise = geometry::noise(threat.norm(), x, rows.key, &rows.indices)?;
                geometry::uniform_in_ball(threat, x, &noise, &shares(rows)?)?
            }
            Kind::Gaussian => {
                let numbers = x.size()[1..].iter().product();
                let deviation = geometry::gaussian_deviation(threat, numbers);
                let noise = geometry::normal(x, rows.key, &rows.indices)?;
                geometry::project(threat, &x.f_add(&noise.f_mul_scalar(deviation)?)?, x)?
            }
        };
        Ok(Box::new(Drawn { images }))
    }
}

/// A number in [0, 1) for each image.
pub(super) fn shares(rows: &Rows) -> Result<Tensor, EngineError> {
    let share = |&index| rng::uniform(&mut rows.key.stream(Purpose::Draw, index));
    let shares: Vec<f64> = rows.indices.iter().map(share).collect();
    Ok(Tensor::f_from_slice(&shares)?.f_to_kind(rows.images.kind())?)
}

struct Drawn {
    images: Tensor,
}

impl State for Drawn {
    fn step(&mut self, _: &Oracle) -> Result<Candidates, EngineError> {
        Ok(Candidates { images: self.images.shallow_clone(), logits: None })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        vec![&mut self.images]
    }
}
