//! A network as a training step sees it.

use std::cell::{Cell, OnceCell};

use resilience_core::view::View;
use tch::{Device, Tensor};

use super::{Differentiable, Graph, Native, Pass};
use crate::error::EngineError;
use crate::layer::Mode;

#[cfg(target_arch = "x86_64")]
mod kernels;

#[cfg(target_arch = "x86_64")]
use kernels::Kernels;

/// A native network whose weights are being learnt. It computes in our own kernels where they have
/// all it needs (f32, no batch norm, a processor for them), and in libtorch else.
pub struct Learner<'a> {
    model: &'a Native,
    /// Forward and backward passes so far, in images.
    passes: Cell<u64>,
    #[cfg(target_arch = "x86_64")]
    kernels: Option<Kernels>,
}

/// What gradients are taken with respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// The weights alone.
    Weights,
    /// The images too.
    ImagesToo,
}

/// A training step, within which gradients add up.
pub struct Lesson<'a> {
    learner: &'a Learner<'a>,
    /// How batch norm computes in passes towards the weights.
    mode: Mode,
    /// The network in the form that attacks search in, made when it is first asked for.
    form: OnceCell<Option<Box<dyn Differentiable>>>,
}

/// One forward pass of a training step, of which a gradient is taken once.
pub struct Lap {
    /// `[n,k]`, with the graph behind them.
    pub logits: Tensor,
    /// The images, where their gradient is wanted.
    images: Option<Tensor>,
    /// By libtorch's graph as far as the logits, then by the kernels; else by the graph alone.
    #[cfg(target_arch = "x86_64")]
    kernels: Option<crate::kernel::Lap>,
}

impl<'a> Learner<'a> {
    /// A network that computes in our own kernels, where they have all it needs.
    pub fn new(model: &'a Native) -> Result<Self, EngineError> {
        Ok(Self {
            model,
            passes: Cell::new(0),
            #[cfg(target_arch = "x86_64")]
            kernels: Kernels::new(model)?,
        })
    }

    /// The same in libtorch alone.
    #[must_use]
    pub const fn plain(model: &'a Native) -> Self {
        Self {
            model,
            passes: Cell::new(0),
            #[cfg(target_arch = "x86_64")]
            kernels: None,
        }
    }

    /// What it computes in, for a record.
    #[must_use]
    pub fn computes_in(&self) -> &'static str {
        match (self.has_kernels(), self.model.network().device()) {
            (true, _) => "own kernels",
            (false, Device::Cpu) => "libtorch",
            (false, _) => "libtorch on a CUDA device",
        }
    }

    const fn has_kernels(&self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self.kernels.is_some();
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// Takes the number of forward and backward passes since it was last taken, in images.
    pub const fn take_passes(&self) -> u64 {
        self.passes.replace(0)
    }

    /// Takes gradients with the weights as they are now: what `work` takes by [`Lesson::backward`]
    /// is added to the `.grad` of the network's parameters, at the latest when this returns.
    pub fn learn<T>(
        &mut self,
        work: impl FnOnce(&Lesson) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.within(Mode::Train, work)
    }

    /// The same, and the running statistics of batch norm stay as they are.
    pub fn rehearse<T>(
        &mut self,
        work: impl FnOnce(&Lesson) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.within(Mode::Still, work)
    }

    fn within<T>(
        &mut self,
        mode: Mode,
        work: impl FnOnce(&Lesson) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        #[cfg(target_arch = "x86_64")]
        if let Some(kernels) = &mut self.kernels {
            kernels.renew(self.model)?;
        }
        let result = work(&Lesson { learner: self, mode, form: OnceCell::new() });
        #[cfg(target_arch = "x86_64")]
        if let Some(kernels) = &mut self.kernels {
            if result.is_err() {
                kernels.forget();
            }
            kernels.add_to_parameters(self.model)?;
        }
        result
    }
}

impl Lesson<'_> {
    /// One forward pass over images `[n,c,h,w]` in [0, 1].
    pub fn pass(&self, images: &Tensor, towards: Towards) -> Result<Lap, EngineError> {
        let wanted = towards == Towards::ImagesToo;
        self.count(images, 1);
        let images = images.f_detach()?.f_set_requires_grad(wanted)?;
        let Learner { model, .. } = self.learner;
        #[cfg(target_arch = "x86_64")]
        if let Some(kernels) = &self.learner.kernels {
            let (logits, lap) = kernels.pass(model, &images)?;
            return Ok(Lap { logits, images: wanted.then_some(images), kernels: Some(lap) });
        }
        Ok(Lap {
            logits: model.forward(&images, self.mode)?,
            images: wanted.then_some(images),
            #[cfg(target_arch = "x86_64")]
            kernels: None,
        })
    }

    /// Takes up the gradient of a scalar `loss` of the logits of some passes with respect to the
    /// weights.
    pub fn backward<const N: usize>(
        &self,
        laps: [Lap; N],
        loss: &Tensor,
    ) -> Result<(), EngineError> {
        loss.f_backward()?;
        for lap in laps {
            self.go_back(lap)?;
        }
        Ok(())
    }

    /// The same of one pass, and gives the gradient with respect to the images, like them, of a pass
    /// that was made for it.
    pub fn backward_to_images(&self, lap: Lap, loss: &Tensor) -> Result<Tensor, EngineError> {
        let unfit = || EngineError::Input {
            what: "pass",
            expected: "one made towards the images too".to_owned(),
            found: "one towards the weights".to_owned(),
        };
        if lap.images.is_none() {
            return Err(unfit());
        }
        loss.f_backward()?;
        self.go_back(lap)?.ok_or_else(unfit)
    }

    fn go_back(&self, lap: Lap) -> Result<Option<Tensor>, EngineError> {
        self.count(&lap.logits, 1);
        #[cfg(target_arch = "x86_64")]
        if let (Some(inner), Some(kernels)) = (lap.kernels, &self.learner.kernels) {
            return kernels.backward(inner, &lap.logits.f_grad()?, lap.images.as_ref());
        }
        Ok(lap.images.map(|images| images.f_grad()).transpose()?)
    }

    /// Logits `[n,k]` of images `[n,c,h,w]`, of which no gradient is wanted.
    pub fn logits(&self, images: &Tensor, norm: BatchNorm) -> Result<Tensor, EngineError> {
        self.count(images, 1);
        if let Some(form) = self.searched(norm)? {
            return form.logits(images);
        }
        let _guard = tch::no_grad_guard();
        self.learner.model.forward(images, self.attacked_in(norm))
    }

    /// The gradient of the sum of what `objective` `[n]` makes of the logits with respect to the
    /// images `[n,c,h,w]`, like them; that of the weights is not taken up.
    pub fn slope(
        &self,
        images: &Tensor,
        norm: BatchNorm,
        objective: &dyn Fn(&Tensor) -> Result<Tensor, EngineError>,
    ) -> Result<Tensor, EngineError> {
        self.count(images, 2);
        let pass = if let Some(form) = self.searched(norm)? {
            form.pass(images)?
        } else {
            let images = images.f_detach()?.f_set_requires_grad(true)?;
            let logits = self.learner.model.forward(&images, self.attacked_in(norm))?;
            Pass::new(images, logits)
        };
        pass.gradient(&objective(&pass.logits)?, Graph::Free)
    }

    /// Counts so many passes of all these images.
    fn count(&self, images: &Tensor, times: u64) {
        let passes = &self.learner.passes;
        passes.set(passes.get() + times * images.size().first().map_or(0, |&n| n as u64));
    }

    /// The network as it is now in the form that attacks search in, where that computes the same: with
    /// its stored statistics, or without batch norm.
    fn searched(&self, norm: BatchNorm) -> Result<Option<&dyn Differentiable>, EngineError> {
        let same = norm == BatchNorm::Stored || self.learner.has_kernels();
        if !same {
            return Ok(None);
        }
        if self.form.get().is_none() {
            let model = self.learner.model;
            let own = model.network().computes_in(tch::Kind::Float);
            let form = if own { model.form(View::Compiled)? } else { None };
            let _ = self.form.set(form);
        }
        Ok(self.form.get().and_then(Option::as_deref))
    }

    const fn attacked_in(&self, norm: BatchNorm) -> Mode {
        match norm {
            BatchNorm::Batch => self.mode,
            BatchNorm::Stored => Mode::Eval,
        }
    }
}

/// What batch norm computes with while images are attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchNorm {
    /// The statistics of the attacked batch, which the running ones learn from: the network is in
    /// its training mode.
    Batch,
    /// The running statistics: the network is in its evaluation mode.
    Stored,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Batch;
    use crate::loss;
    use crate::model::Normalise;
    use crate::zoo;
    use tch::Kind;

    fn model(architecture: &str, kind: Kind) -> Native {
        let network = zoo::find(architecture).unwrap().build(3, kind).unwrap();
        let (mean, std) = ([0.5, 0.375, 0.4375], [0.25, 0.1875, 0.3125]);
        Native::new(network, Normalise::new(&mean, &std, kind).unwrap())
    }

    /// The gradients of the images and of every parameter, of two passes of one step.
    fn gradients(learner: &mut Learner, batch: &Batch) -> Vec<Tensor> {
        let towards_images = learner.learn(|lesson| {
            let pass = lesson.pass(&batch.images, Towards::ImagesToo)?;
            let loss = loss::cross_entropy(&pass.logits, &batch.labels)?;
            let gradient = lesson.backward_to_images(pass, &loss)?;
            let pass = lesson.pass(&(&batch.images * 0.5), Towards::Weights)?;
            let loss = loss::cross_entropy(&pass.logits, &batch.labels)? * 3.0;
            lesson.backward([pass], &loss)?;
            Ok(gradient)
        });
        let mut gradients = vec![towards_images.unwrap()];
        for parameter in learner.model.network().trainable() {
            gradients.push(parameter.tensor.grad().copy());
            let _ = parameter.tensor.grad().zero_();
        }
        gradients
    }

    /// Would catch a gradient that is handed to the wrong parameter, a normalisation that is left
    /// out, a pass that takes the place of another, and weights that are not taken anew.
    #[test]
    fn own_kernels_learn_what_libtorch_learns() {
        for architecture in ["resilience-cnn", "resnet2b", "cifar-wide"] {
            let model = model(architecture, Kind::Float);
            let batch = Batch::random(6, [3, 32, 32], 10).unwrap();
            let mut learner = Learner::new(&model).unwrap();
            #[cfg(target_arch = "x86_64")]
            assert_eq!(learner.kernels.is_some(), crate::kernel::available());
            for round in 0..2 {
                let expected = gradients(&mut Learner::plain(&model), &batch);
                let found = gradients(&mut learner, &batch);
                for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let largest = expected.abs().max().double_value(&[]);
                    let apart = (found - expected).abs().max().double_value(&[]) / largest;
                    // Both are in f32; 2.4e-6 was the most that was seen.
                    let what = format!("{architecture}, round {round}, gradient {number}");
                    assert!(apart < 2e-5 && largest > 0.0, "{what}: {apart} of {largest}");
                }
                let _guard = tch::no_grad_guard();
                for parameter in model.network().trainable() {
                    let _ = parameter.tensor.shallow_clone().f_mul_scalar_(0.9);
                }
            }
        }
    }

    /// Would catch kernels that stand in where they compute something else: in another precision, or
    /// with the batch's statistics.
    #[test]
    fn what_has_no_kernels_stays_with_libtorch() {
        let half = model("resilience-cnn", Kind::Float).with_inner_bf16();
        for model in [model("resilience-cnn", Kind::Double), model("resnet20", Kind::Float), half] {
            assert_eq!(Learner::new(&model).unwrap().computes_in(), "libtorch");
        }
    }

    /// Would catch a gradient of images that nobody computed, and what a step leaves behind that
    /// failed.
    #[test]
    fn a_pass_towards_the_weights_has_no_gradient_of_images() {
        let model = model("resilience-cnn", Kind::Float);
        let batch = Batch::random(2, [3, 32, 32], 10).unwrap();
        for mut learner in [Learner::plain(&model), Learner::new(&model).unwrap()] {
            let result = learner.learn(|lesson| {
                let pass = lesson.pass(&batch.images, Towards::Weights)?;
                let loss = loss::cross_entropy(&pass.logits, &batch.labels)?;
                lesson.backward([pass], &loss)?;
                let pass = lesson.pass(&batch.images, Towards::Weights)?;
                let loss = loss::cross_entropy(&pass.logits, &batch.labels)?;
                lesson.backward_to_images(pass, &loss)
            });
            assert!(result.unwrap_err().to_string().contains("towards the images"));
            for parameter in model.network().trainable() {
                let _ = parameter.tensor.grad().zero_();
            }
            let found = gradients(&mut learner, &batch);
            let expected = gradients(&mut Learner::new(&model).unwrap(), &batch);
            let plain = gradients(&mut Learner::plain(&model), &batch);
            assert!(found == expected || found == plain);
        }
    }

    /// Would catch an attack, or a pass whose gradient is only for moving weights, that leaves its mark on
    /// the running statistics of batch norm, one that should and does not, and an attack in evaluation
    /// mode that sees the batch.
    #[test]
    fn running_statistics_learn_where_they_should() {
        let model = model("resnet20", Kind::Float);
        let batch = Batch::random(8, [3, 32, 32], 10).unwrap();
        let running = || -> Vec<Tensor> {
            let state = model.network().parameters().filter(|p| p.name.contains("running"));
            state.map(|p| p.tensor.copy()).collect()
        };
        let objective = |logits: &Tensor| loss::cross_entropies(logits, &batch.labels);
        let slope = |lesson: &Lesson, norm| {
            lesson.slope(&batch.images, norm, &objective).map(|gradient| gradient.copy())
        };
        let weights = |lesson: &Lesson| {
            let pass = lesson.pass(&batch.images, Towards::Weights)?;
            let loss = loss::cross_entropy(&pass.logits, &batch.labels)?;
            lesson.backward([pass], &loss)
        };
        let mut learner = Learner::new(&model).unwrap();
        let changed = |learner: &mut Learner, what: &dyn Fn(&mut Learner)| {
            let before = running();
            what(learner);
            running() != before
        };
        assert!(changed(&mut learner, &|l| l.learn(weights).unwrap()));
        assert!(!changed(&mut learner, &|l| l.rehearse(weights).unwrap()));
        for (norm, expected) in [(BatchNorm::Batch, true), (BatchNorm::Stored, false)] {
            let attack = |l: &mut Learner| drop(l.learn(|lesson| slope(lesson, norm)).unwrap());
            assert_eq!(changed(&mut learner, &attack), expected, "{norm:?}");
            let attack = |l: &mut Learner| drop(l.rehearse(|lesson| slope(lesson, norm)).unwrap());
            assert!(!changed(&mut learner, &attack), "{norm:?}");
            let logits = |l: &mut Learner| {
                drop(l.learn(|lesson| lesson.logits(&batch.images, norm)).unwrap());
            };
            assert_eq!(changed(&mut learner, &logits), expected, "{norm:?}");
        }
        // In evaluation mode an image's gradient does not depend on its company.
        let alone = batch.first(1).unwrap();
        let first = |images: &Tensor, labels: &Tensor, learner: &mut Learner| {
            let take = |lesson: &Lesson| {
                let objective = |logits: &Tensor| loss::cross_entropies(logits, labels);
                lesson.slope(images, BatchNorm::Stored, &objective)
            };
            learner.learn(take).unwrap().get(0)
        };
        let together = first(&batch.images, &batch.labels, &mut learner);
        let apart = (together - first(&alone.images, &alone.labels, &mut learner)).abs().max();
        assert!(apart.double_value(&[]) < 1e-6, "{apart:?}");
    }
}
