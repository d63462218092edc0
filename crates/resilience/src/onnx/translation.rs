//! What becomes of a node: an operation in libtorch.

use std::rc::Rc;

use tch::{Kind, Tensor};

use crate::error::EngineError;
use crate::layer::Window;

/// A node's operation: its inputs to its outputs.
pub type Run = Rc<dyn Fn(&Args) -> Result<Vec<Tensor>, EngineError>>;

/// The inputs of a node in a pass.
pub struct Args<'a> {
    /// In order; none where one is left out.
    pub values: &'a [Option<&'a Tensor>],
    /// How many images there are for each that the graph was exported for.
    pub rows: i64,
    /// What floats are computed in.
    pub kind: Kind,
}

impl<'a> Args<'a> {
    /// An input that has to be there. That it is, was checked when the node was translated.
    pub fn get(&self, place: usize) -> Result<&'a Tensor, EngineError> {
        self.maybe(place).ok_or_else(|| EngineError::Input {
            what: "an operation",
            expected: format!("an input at place {place}"),
            found: "none".to_owned(),
        })
    }

    /// An input that may be left out.
    #[must_use]
    pub fn maybe(&self, place: usize) -> Option<&'a Tensor> {
        self.values.get(place).copied().flatten()
    }

    /// The whole numbers of an input.
    pub fn ints(&self, place: usize) -> Result<Vec<i64>, EngineError> {
        whole(self.get(place)?)
    }
}

/// The whole numbers of a tensor in order.
pub fn whole(tensor: &Tensor) -> Result<Vec<i64>, EngineError> {
    let flat = tensor.f_detach()?.f_to_kind(Kind::Int64)?.f_contiguous()?.f_view([-1])?;
    Ok(Vec::try_from(flat)?)
}

/// Whether a gradient comes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gradient {
    /// From every input of floats.
    Flows,
    /// From every input of floats; that at the place given only chooses between the others.
    FlowsExcept(usize),
    /// From the input at the place given; of the others only what kind of numbers they are counts.
    Of(usize),
    /// From none.
    Stops,
    /// The result depends on no number, only on the shape of the input.
    Shape,
}

/// What other forms of the network have to know of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// A convolution of its inputs: values, kernels, perhaps a bias. Where it is square and with nothing
    /// else to it, its window.
    Convolution(Option<Window>),
    /// Batch norm with stored statistics, and what is added to the variance.
    BatchNorm(f64),
    /// A fully connected layer of its inputs: features, weights `[out, in]`, perhaps a bias.
    Linear,
    /// ReLU.
    Relu,
    /// A sum of two.
    Add,
    /// The pixels as features, image by image.
    Flatten,
    /// The mean over all pixels.
    Average,
    /// Anything else.
    Other,
}

/// A node as an operation in libtorch.
pub struct Translation {
    /// What is computed.
    pub run: Run,
    /// Whether gradients come through.
    pub gradient: Gradient,
    /// What other forms know of it.
    pub role: Role,
}

impl Translation {
    /// An operation with one result, through which gradients come.
    pub fn flowing(run: impl Fn(&Args) -> Result<Tensor, EngineError> + 'static) -> Self {
        Self::many(move |args| Ok(vec![run(args)?]))
    }

    /// The same with several results.
    pub fn many(run: impl Fn(&Args) -> Result<Vec<Tensor>, EngineError> + 'static) -> Self {
        Self { run: Rc::new(run), gradient: Gradient::Flows, role: Role::Other }
    }

    /// An operation with one result and no gradient.
    pub fn stopping(run: impl Fn(&Args) -> Result<Tensor, EngineError> + 'static) -> Self {
        Self::flowing(run).with_gradient(Gradient::Stops)
    }

    /// The same with another way of its gradient.
    #[must_use]
    pub fn with_gradient(self, gradient: Gradient) -> Self {
        Self { gradient, ..self }
    }

    /// The same in this role.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }
}
