//! A network of the zoo in our own kernels, for the search on a CPU.

use std::rc::Rc;

use tch::{Kind, Tensor};

use super::input::Input;
use super::{Classifier, Differentiable, Native, Pass};
use crate::error::EngineError;
use crate::host::Pixels;
use crate::kernel::{Program, Team};

/// A native network, computed in f32 by [`crate::kernel`]. It differs from libtorch by rounding.
pub struct Compiled {
    input: Input,
    shape: [i64; 3],
    team: Rc<Team>,
    classes: usize,
}

impl Compiled {
    /// Packs the folded form of a network. None where the machine lacks the instructions, or there
    /// is no kernel for a layer.
    pub fn new(model: &Native) -> Result<Option<Self>, EngineError> {
        let network = model.network().folded()?;
        let Some(program) = network.lowered()? else { return Ok(None) };
        let spec = network.architecture();
        Self::of(program, model.input(), spec.input, spec.classes)
    }

    /// A program for normalised images of this shape, with what happens to the pixels first. None where
    /// the machine lacks the instructions.
    pub(super) fn of(
        program: Program,
        input: &Input,
        shape: [i64; 3],
        classes: i64,
    ) -> Result<Option<Self>, EngineError> {
        let program = input.normalising(program)?;
        let Some(team) = Team::new(program, crate::threads()) else { return Ok(None) };
        let (input, classes) = (input.clone(), classes as usize);
        Ok(Some(Self { input, shape, team: Rc::new(team), classes }))
    }

    fn tensor(&self, logits: &[f32]) -> Result<Tensor, EngineError> {
        Ok(Tensor::f_from_slice(logits)?.f_view([-1, self.classes as i64])?)
    }
}

impl Classifier for Compiled {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let _guard = tch::no_grad_guard();
        self.tensor(&self.team.logits(&self.input.pixels(images, self.shape)?, self.classes))
    }

    fn declared_noisy(&self) -> bool {
        self.input.noise > 0.0
    }
}

impl Differentiable for Compiled {
    fn computes_by_itself(&self) -> bool {
        true
    }

    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let (logits, run) = self.team.run(&self.input.pixels(images, self.shape)?, self.classes);
        let (team, classes) = (Rc::clone(&self.team), self.classes);
        let images = images.f_detach()?;
        Pass::own(
            &self.tensor(&logits)?,
            Box::new(move |gradient| {
                let flat = gradient.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
                let pixels = team.gradient(&run, &Vec::<f32>::try_from(flat)?, classes);
                Pixels::tensor(&pixels, &images)
            }),
        )
    }
}
