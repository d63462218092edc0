//! What can be attacked, by how much it lets one see.
//!
//! Only this room knows a mean and a standard deviation: everything outside speaks of pixels in
//! [0, 1].

mod native;
mod normalise;

use std::cell::Cell;

use tch::Tensor;

pub use native::Native;
pub use normalise::Normalise;

use crate::error::EngineError;

/// A model that answers with logits.
pub trait Classifier {
    /// Images `[n,c,h,w]` in [0, 1] -> logits `[n,k]`, without a graph.
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError>;

    /// The passes made so far.
    fn passes(&self) -> Passes;
}

/// A model that also gives gradients with respect to its input.
pub trait Differentiable: Classifier {
    /// One forward pass over images `[n,c,h,w]` in [0, 1], ready to be differentiated.
    fn pass(&self, images: &Tensor) -> Result<Pass<'_>, EngineError>;
}

/// One forward pass. Gradients may be taken of it several times.
pub struct Pass<'a> {
    /// `[n,k]`, with the graph behind them.
    pub logits: Tensor,
    images: Tensor,
    passes: &'a Cell<Passes>,
}

impl<'a> Pass<'a> {
    /// A pass whose `logits` were computed from `images`, which require a gradient; the backward
    /// passes taken of it are added to `passes`.
    #[must_use]
    pub const fn new(images: Tensor, logits: Tensor, passes: &'a Cell<Passes>) -> Self {
        Self { logits, images, passes }
    }

    /// The gradient of the sum of `objective` `[n]` with respect to the images: like the images.
    /// Weight gradients are not computed.
    pub fn gradient(&self, objective: &Tensor) -> Result<Tensor, EngineError> {
        let total = objective.f_sum(objective.f_kind()?)?;
        let mut gradients = Tensor::f_run_backward(&[&total], &[&self.images], true, false)?;
        add(self.passes, Passes { forwards: 0, backwards: self.images.size()[0] as u64 });
        Ok(gradients.swap_remove(0))
    }
}

/// How much work was done, counted in images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passes {
    /// Images that went forward.
    pub forwards: u64,
    /// Images whose gradient came back.
    pub backwards: u64,
}

impl std::ops::Sub for Passes {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            forwards: self.forwards - earlier.forwards,
            backwards: self.backwards - earlier.backwards,
        }
    }
}

impl std::ops::AddAssign for Passes {
    fn add_assign(&mut self, more: Self) {
        self.forwards += more.forwards;
        self.backwards += more.backwards;
    }
}

/// Adds to a counter.
fn add(counter: &Cell<Passes>, more: Passes) {
    let mut passes = counter.get();
    passes += more;
    counter.set(passes);
}
