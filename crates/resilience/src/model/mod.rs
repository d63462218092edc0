//! What can be attacked, by how much it lets one see.
//!
//! Only this room knows a mean and a standard deviation: everything outside speaks of pixels in
//! [0, 1].

#[cfg(target_arch = "x86_64")]
mod compiled;
mod ensemble;
mod input;
mod learner;
mod native;
mod normalise;
mod onnx;
mod oracle;
mod script;
mod trial;
mod twin;

use resilience_core::view::View;
use tch::Tensor;

#[cfg(target_arch = "x86_64")]
pub use compiled::Compiled;
pub use ensemble::Ensemble;
pub use learner::{BatchNorm, Lap, Learner, Lesson, Towards};
pub use native::Native;
pub use normalise::Normalise;
pub use onnx::Onnx;
pub use oracle::{Ascent, Objectives, Oracle, Passes, Span};
pub use script::Script;
pub use trial::Rows;

use crate::error::EngineError;

/// A model that answers with logits.
pub trait Classifier {
    /// Images `[n,c,h,w]` in [0, 1] -> logits `[n,k]`, without a graph.
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError>;

    /// Whether the model says of itself that it answers differently each time.
    fn declared_noisy(&self) -> bool {
        false
    }

    /// How far each answer is from another one where its own logits do not say it, since they jump:
    /// `[n]`, the smallest lead of a logit that they hang on. None where the margin says it.
    fn nearness(&self, _: &Tensor) -> Result<Option<Tensor>, EngineError> {
        Ok(None)
    }
}

/// A model that also gives gradients with respect to its input.
pub trait Differentiable: Classifier {
    /// One forward pass over images `[n,c,h,w]` in [0, 1], ready to be differentiated.
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError>;

    /// Whether it computes on threads of its own, and every image by itself: then libtorch is to
    /// leave it the processors, and small chunks need no filling up.
    fn computes_by_itself(&self) -> bool {
        false
    }

    /// The same model in another form, as it is now. None where there is none, or not on this
    /// machine.
    fn form(&self, _: View) -> Result<Option<Box<dyn Differentiable>>, EngineError> {
        Ok(None)
    }
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

    /// Lets attacks look at this form of it.
    pub fn look_at(&mut self, view: View) -> Result<(), EngineError> {
        if self.takes(view)? {
            return Ok(());
        }
        Err(EngineError::NoForm { model: self.name.clone(), form: view.name() })
    }

    /// Lets attacks look at this form of it, and says whether it has such a one; else they look at the
    /// reference.
    pub fn takes(&mut self, view: View) -> Result<bool, EngineError> {
        // The old form goes first: both at once would be the most memory that is ever held.
        self.search = None;
        if view != View::Reference {
            self.search = self.reference.form(view)?;
        }
        Ok(view == View::Reference || self.search.is_some())
    }

    /// What attacks look at.
    #[must_use]
    pub fn search(&self) -> &dyn Differentiable {
        self.search.as_deref().unwrap_or(self.reference.as_ref())
    }
}

/// One forward pass. Gradients may be taken of it several times.
pub struct Pass {
    /// `[n,k]`, with the graph behind them: what losses are made of.
    pub logits: Tensor,
    /// `[n,k]`, what the model says, where `logits` stand in for it because it has no gradient.
    said: Option<Tensor>,
    way_back: WayBack,
}

/// How a pass's gradient is taken.
enum WayBack {
    /// By libtorch's graph, as far as the images.
    Graph(Tensor),
    /// By libtorch's graph as far as the logits, then by the model itself.
    Own(Box<Own>),
}

/// The gradient with respect to the images, from that with respect to the logits `[n,k]`.
type Own = dyn Fn(&Tensor) -> Result<Tensor, EngineError>;

impl Pass {
    /// A pass whose `logits` were computed from `images`, which require a gradient.
    #[must_use]
    pub const fn new(images: Tensor, logits: Tensor) -> Self {
        Self { logits, said: None, way_back: WayBack::Graph(images) }
    }

    /// A pass whose `logits` were computed without a graph, and `own` that knows their gradient.
    pub fn own(logits: &Tensor, own: Box<Own>) -> Result<Self, EngineError> {
        let logits = logits.f_detach()?.f_set_requires_grad(true)?;
        Ok(Self { logits, said: None, way_back: WayBack::Own(own) })
    }

    /// The same pass of a model that says something else than the logits which are differentiated:
    /// these stand in for what has no gradient (BPDA, Athalye et al. 2018).
    #[must_use]
    pub fn saying(self, said: Tensor) -> Self {
        Self { said: Some(said), ..self }
    }

    /// `[n,k]`: what [`Classifier::logits`] gives for the same images. Whether an image is lost, these
    /// say.
    pub fn said(&self) -> &Tensor {
        self.said.as_ref().unwrap_or(&self.logits)
    }

    /// The gradient of the sum of `objective` with respect to the images: like the images. Weight
    /// gradients are not computed; the graph stays for another gradient where `keep` says so.
    pub fn gradient(&self, objective: &Tensor, keep: Graph) -> Result<Tensor, EngineError> {
        let total = objective.f_sum(objective.f_kind()?)?;
        let keep = keep == Graph::Keep;
        let towards = match &self.way_back {
            WayBack::Graph(images) => images,
            WayBack::Own(_) => &self.logits,
        };
        let gradient = Tensor::f_run_backward(&[&total], &[towards], keep, false)?.swap_remove(0);
        match &self.way_back {
            WayBack::Graph(_) => Ok(gradient),
            WayBack::Own(own) => own(&gradient),
        }
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
