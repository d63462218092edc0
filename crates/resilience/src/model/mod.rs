//! What can be attacked, by how much it lets one see.
//!
//! Only this room knows a mean and a standard deviation: everything outside speaks of pixels in
//! [0, 1].

mod native;
mod normalise;
mod oracle;

use tch::Tensor;

pub use native::Native;
pub use normalise::Normalise;
pub use oracle::{Ascent, Objectives, Oracle, Passes, Span};

use crate::error::EngineError;

/// A model that answers with logits.
pub trait Classifier {
    /// Images `[n,c,h,w]` in [0, 1] -> logits `[n,k]`, without a graph.
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError>;

    /// Whether the model says of itself that it answers differently each time.
    fn declared_noisy(&self) -> bool {
        false
    }
}

/// A model that also gives gradients with respect to its input.
pub trait Differentiable: Classifier {
    /// One forward pass over images `[n,c,h,w]` in [0, 1], ready to be differentiated.
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError>;
}

/// A model to be evaluated.
pub struct Model {
    /// What it is called in messages.
    pub name: String,
    /// Gives every verdict, in f32 as the weights are.
    pub reference: Box<dyn Differentiable>,
    /// What attacks look at, where that is another form of the same network: faster, and equal up
    /// to rounding. What it takes for broken, the reference has to confirm.
    pub search: Option<Box<dyn Differentiable>>,
}

impl Model {
    /// A model that attacks look at as it is.
    #[must_use]
    pub fn plain(name: &str, reference: Box<dyn Differentiable>) -> Self {
        Self { name: name.to_owned(), reference, search: None }
    }

    /// What attacks look at.
    #[must_use]
    pub fn search(&self) -> &dyn Differentiable {
        self.search.as_deref().unwrap_or(self.reference.as_ref())
    }
}

/// One forward pass. Gradients may be taken of it several times.
pub struct Pass {
    /// `[n,k]`, with the graph behind them.
    pub logits: Tensor,
    images: Tensor,
}

impl Pass {
    /// A pass whose `logits` were computed from `images`, which require a gradient.
    #[must_use]
    pub const fn new(images: Tensor, logits: Tensor) -> Self {
        Self { logits, images }
    }

    /// The gradient of the sum of `objective` with respect to the images: like the images. Weight
    /// gradients are not computed; the graph stays for another gradient where `keep` says so.
    pub fn gradient(&self, objective: &Tensor, keep: Graph) -> Result<Tensor, EngineError> {
        let total = objective.f_sum(objective.f_kind()?)?;
        let keep = keep == Graph::Keep;
        let mut gradients = Tensor::f_run_backward(&[&total], &[&self.images], keep, false)?;
        Ok(gradients.swap_remove(0))
    }
}

/// Whether a pass is differentiated again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Graph {
    /// It is.
    Keep,
    /// It is not; its memory is freed on the way.
    Free,
}
