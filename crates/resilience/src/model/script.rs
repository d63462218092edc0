//! A TorchScript module with its normalisation.

use std::rc::Rc;

use resilience_core::format::array::StateDict;
use resilience_core::format::pth::Script as File;
use resilience_core::record::LayerRecord;
use resilience_core::view::View;
use tch::{CModule, Device, IValue, Kind, TchError, Tensor};

use super::input::Input;
use super::trial::{self, Rows, Trial};
use super::{Classifier, Differentiable, Native, Pass};
use crate::device::device;
use crate::error::{EngineError, without_stack};

/// Shapes (channels, height, width) of images that are tried where none is stated: CIFAR's, MNIST's, Tiny
/// ImageNet's, ImageNet's.
const USUAL: [[i64; 3]; 6] =
    [[3, 32, 32], [1, 28, 28], [1, 32, 32], [3, 64, 64], [3, 224, 224], [3, 299, 299]];

/// What tells NVIDIA's libraries, before they are loaded, whether they may compute in TF32.
const NO_TF32: &str = "NVIDIA_TF32_OVERRIDE";

/// A module that takes pixels in [0, 1].
pub struct Script {
    module: Rc<CModule>,
    input: Input,
    /// Channels, height, width.
    shape: [i64; 3],
    classes: i64,
    rows: Rows,
    /// Whether a gradient comes back to the pixels that is not zero everywhere.
    differentiable: bool,
    parameters: u64,
    /// The same network in our own layers, where it was found to be one of the zoo.
    twin: Option<Native>,
}

impl Script {
    /// A module in evaluation mode, its weights as they are, whose pixels are normalised by `mean` and `std`
    /// first. `size` says height and width of its images; without it usual ones are tried, the smallest
    /// first.
    pub fn load(
        file: &File,
        mean: [f64; 3],
        std: [f64; 3],
        size: Option<[i64; 2]>,
    ) -> Result<Self, EngineError> {
        let module = Rc::new(module(&file.bytes)?);
        let mut first = None;
        for shape in shapes(size) {
            let normalise = super::native::normalise(shape[0] as usize, mean, std);
            // A grey image has one mean and one standard deviation.
            let Ok(normalise) = normalise else { continue };
            let input = Input { normalise: Rc::new(normalise), noise: 0.0, levels: None };
            match Self::of(Rc::clone(&module), input, shape, &file.state) {
                // What it gives for images that it takes is what it is.
                answer @ (Ok(_) | Err(EngineError::Output { .. })) => return answer,
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| trial::output("logits", "none".to_owned(), "check the file")))
    }

    fn of(
        module: Rc<CModule>,
        input: Input,
        shape: [i64; 3],
        state: &StateDict,
    ) -> Result<Self, EngineError> {
        let parameters = state.entries.iter().map(|(_, array)| array.data().len() as u64).sum();
        let rows = Rows::Together;
        let mut model = Self {
            module,
            input,
            shape,
            classes: 0,
            rows,
            differentiable: true,
            parameters,
            twin: None,
        };
        let images = Trial::images(shape, Kind::Float)?;
        let prepared = model.input.prepare(&images)?;
        let trial = Trial::of(&prepared, &|images| model.together(images))?;
        (model.classes, model.rows) = (trial.classes, trial.rows);
        model.differentiable = model.gives_gradient(&images)?;
        model.twin = super::twin::find(state, &model.input, &images, &model.logits(&images)?)?;
        Ok(model)
    }

    /// The same model behind Gaussian noise of this standard deviation, as [`Native`] has it.
    #[must_use]
    pub fn with_input_noise(self, deviation: f64) -> Self {
        let twin = self.twin.map(|twin| twin.with_input_noise(deviation));
        Self { input: Input { noise: deviation, ..self.input }, twin, ..self }
    }

    /// The same model behind a rounding of pixels to so many values, as [`Native`] has it.
    #[must_use]
    pub fn with_input_levels(self, levels: Option<u32>) -> Self {
        let twin = self.twin.map(|twin| twin.with_input_levels(levels));
        Self { input: Input { levels, ..self.input }, twin, ..self }
    }

    /// Shape of the images: channels, height, width.
    #[must_use]
    pub const fn shape(&self) -> [i64; 3] {
        self.shape
    }

    /// Number of classes.
    #[must_use]
    pub const fn classes(&self) -> i64 {
        self.classes
    }

    /// How many images it is shown at once.
    #[must_use]
    pub const fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Whether a gradient comes back to the pixels that is not zero everywhere.
    #[must_use]
    pub const fn is_differentiable(&self) -> bool {
        self.differentiable
    }

    /// The architecture of the zoo that it is an export of, found by its weights and proved by its logits:
    /// then attacks can look at our own form of it.
    #[must_use]
    pub fn twin(&self) -> Option<String> {
        self.twin.as_ref().map(|twin| twin.network().architecture().name())
    }

    /// What a user has to know, in words, where something is.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let rows = self.rows.notice(
            "export it in evaluation mode (model.eval()), with operations that leave the batch free, to \
             make it faster",
        );
        let blocked = (!self.differentiable).then(|| {
            let cause = "no gradient comes back to its pixels, or nothing but zeros (detach, no_grad, argmax, \
                         rounding or integers stand in the way)";
            match self.twin() {
                Some(twin) => format!(
                    "{cause}; it has the weights and the logits of {twin}, and attacks look at that"
                ),
                None => format!(
                    "{cause}: attacks that follow gradients see zeros, and their failure says nothing \
                     about robustness; export the model without that"
                ),
            }
        });
        rows.into_iter().chain(blocked).collect()
    }

    /// Numbers in its parameters and buffers.
    #[must_use]
    pub const fn parameter_count(&self) -> u64 {
        self.parameters
    }

    /// Its layers, where it is an export of a network of the zoo; the module itself tells none.
    pub fn layers(&self) -> Result<Vec<LayerRecord>, EngineError> {
        self.twin.as_ref().map_or_else(|| Ok(Vec::new()), |twin| twin.network().describe())
    }

    /// Images `[n,c,h,w]` in [0, 1] -> logits `[n,k]`, with the graph behind them.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let size = images.size();
        if size.get(1..) != Some(self.shape.as_slice()) {
            return Err(EngineError::Input {
                what: "images for the TorchScript model",
                expected: format!("[n] and {:?}", self.shape),
                found: format!("{size:?}"),
            });
        }
        let images = self.input.prepare(images)?;
        self.rows.logits(&images, &|images| self.together(images))
    }

    /// Normalised images `[n,c,h,w]` in one pass.
    fn together(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let (n, kind) = (images.size()[0], images.f_kind()?);
        // The executor would compile the module anew after some passes, and answer differently by the last
        // bits then. The choice is this thread's.
        tch::jit::f_set_graph_executor_optimize(false)?;
        // A copy, because a module may compute in the place of what it is given.
        let images = images.f_to_device(device())?.f_mul_scalar(1.0)?;
        let given = self.module.forward_is(&[IValue::Tensor(images)]);
        let given = given.map_err(|error| EngineError::Script {
            what: "the TorchScript module cannot be computed",
            reason: reason(&error),
            remedy: "it is shown images [n, channels, height, width] in f32 and nothing else: export the \
                     model so that it takes them (model.float(), a free batch, no other arguments), and say \
                     in a manifest, input_size = [height, width], where their size is none of the usual",
        })?;
        match given {
            IValue::Tensor(logits) => {
                let logits = logits.f_to_device(Device::Cpu)?.f_to_kind(kind)?;
                trial::logits(&logits, n)
            }
            other => Err(trial::output(
                &format!("logits of shape [{n}, classes]"),
                kind_of(&other).to_owned(),
                "export the model so that it gives the logits alone",
            )),
        }
    }

    /// Whether logits hang on pixels by a gradient. An operation that has none is an error.
    fn gives_gradient(&self, images: &Tensor) -> Result<bool, EngineError> {
        let images = images.f_detach()?.f_set_requires_grad(true)?;
        let logits = self.forward(&images)?;
        if !logits.requires_grad() {
            return Ok(false);
        }
        // Not their plain sum, which is 1 and has no gradient where a module gives probabilities.
        let weights = Tensor::f_arange(self.classes, (logits.f_kind()?, Device::Cpu))?;
        let total = logits.f_mul(&weights)?.f_sum(Kind::Float)?;
        let back = Tensor::f_run_backward(&[&total], &[&images], false, false);
        let back = back.map_err(|error| EngineError::Script {
            what: "the TorchScript module gives logits, but no gradient",
            reason: reason(&error),
            remedy: "export the model without torch.jit.optimize_for_inference and without quantisation",
        })?;
        Ok(back[0].f_abs()?.f_max()?.f_double_value(&[])? > 0.0)
    }
}

/// The module that a file holds.
fn module(bytes: &[u8]) -> Result<CModule, EngineError> {
    // Its convolutions are called with their own choice, which is to let CUDA round factors to TF32, with 10
    // bits of mantissa: no verdict may hang on that.
    if device().is_cuda() && std::env::var(NO_TF32).as_deref() != Ok("0") {
        return Err(EngineError::Script {
            what: "a TorchScript module on a CUDA device would be computed in TF32",
            reason: format!(
                "the environment has no {NO_TF32}=0, which keeps NVIDIA's libraries in f32"
            ),
            remedy: "set it and run again",
        });
    }
    let failed = |error: &TchError| EngineError::Script {
        what: "libtorch cannot load the TorchScript module",
        reason: reason(error),
        remedy: "export it with a PyTorch that is not newer than 2.11, without torch.jit.optimize_for_inference \
                 and without operations of other libraries",
    };
    let mut bytes = bytes;
    let mut module =
        CModule::load_data_on_device(&mut bytes, device()).map_err(|error| failed(&error))?;
    module.f_set_eval()?;
    for (_, parameter) in module.named_parameters()? {
        let _ = parameter.f_set_requires_grad(false)?;
    }
    Ok(module)
}

/// The shapes of images that come into question.
fn shapes(size: Option<[i64; 2]>) -> Vec<[i64; 3]> {
    match size {
        Some([height, width]) => vec![[3, height, width], [1, height, width]],
        None => USUAL.to_vec(),
    }
}

/// What libtorch says, without the module's code and the addresses of C++ functions.
fn reason(error: &TchError) -> String {
    let text = error.to_string();
    let text = without_stack(&text);
    let last = text.rsplit("RuntimeError: ").next().unwrap_or(text);
    last.lines().next().unwrap_or_default().trim().to_owned()
}

/// What a module gave instead of a tensor.
const fn kind_of(value: &IValue) -> &'static str {
    match value {
        IValue::Tuple(_) => "a tuple",
        IValue::TensorList(_) | IValue::GenericList(_) => "a list",
        IValue::GenericDict(_) => "a dictionary",
        IValue::None => "nothing",
        _ => "a value that is no tensor",
    }
}

impl Classifier for Script {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let _guard = tch::no_grad_guard();
        self.forward(images)
    }

    fn declared_noisy(&self) -> bool {
        self.input.noise > 0.0
    }
}

impl Differentiable for Script {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.f_detach()?.f_set_requires_grad(true)?;
        let logits = self.forward(&images)?;
        if logits.requires_grad() {
            return Ok(Pass::new(images, logits));
        }
        // What PyTorch itself would refuse to differentiate: its gradient is nothing, and an audit sees it.
        Pass::own(&logits, Box::new(move |_| Ok(images.f_detach()?.f_zeros_like()?)))
    }

    fn form(&self, view: View) -> Result<Option<Box<dyn Differentiable>>, EngineError> {
        self.twin.as_ref().map_or(Ok(None), |twin| twin.form(view))
    }
}
