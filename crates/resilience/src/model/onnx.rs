//! An ONNX graph with its normalisation.

use std::rc::Rc;

use resilience_core::format::array::Kind as Element;
use resilience_core::format::onnx::{Graph, Port};
use resilience_core::record::LayerRecord;
use resilience_core::view::View;
use tch::{Device, Kind, Tensor};

#[cfg(target_arch = "x86_64")]
use super::Compiled;
use super::input::Input;
use super::trial::{self, Rows, Trial};
use super::{Classifier, Differentiable, Normalise, Pass};
use crate::device::device;
use crate::error::EngineError;
use crate::onnx::{OnnxError, Translated};

/// Pixels that an image of a graph may have: more means no image.
const LARGEST: i64 = 1 << 26;

/// A graph that takes pixels in [0, 1].
pub struct Onnx {
    network: Rc<Translated>,
    input: Input,
    /// Channels, height, width.
    shape: [i64; 3],
    layout: Layout,
    classes: i64,
    rows: Rows,
    /// Whether the graph was exported for one image.
    single: bool,
}

/// In which order a graph takes the numbers of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    ChannelsFirst,
    ChannelsLast,
}

impl Onnx {
    /// A graph in f32, whose pixels are normalised by `mean` and `std` first. Where it leaves the size of
    /// its images open, `size` says it: height and width.
    pub fn load(
        graph: &Graph,
        mean: [f64; 3],
        std: [f64; 3],
        size: Option<[i64; 2]>,
    ) -> Result<Self, EngineError> {
        let [channels, ..] = takes(only("input", &graph.inputs)?, size)?.shape;
        let normalise = super::native::normalise(channels as usize, mean, std)?;
        Self::load_in(Kind::Float, graph, normalise, size)
    }

    /// The same in another precision.
    pub fn load_in(
        kind: Kind,
        graph: &Graph,
        normalise: Normalise,
        size: Option<[i64; 2]>,
    ) -> Result<Self, EngineError> {
        if device() != Device::Cpu {
            return Err(EngineError::Input {
                what: "device of an ONNX model",
                expected: "cpu, where such models are computed so far".to_owned(),
                found: crate::device_name(),
            });
        }
        let port = only("input", &graph.inputs)?;
        only("output", &graph.outputs)?;
        let Takes { single, shape, layout } = takes(port, size)?;
        let network = Translated::new(graph, kind, single)?;
        let input = Input { normalise: Rc::new(normalise), noise: 0.0, levels: None };
        let (network, rows) = (Rc::new(network), Rows::Together);
        let mut model = Self { network, input, shape, layout, classes: 0, rows, single };
        model.try_out(kind)?;
        Ok(model)
    }

    /// Shape of the images that a graph takes (channels, height, width), and the number of its classes
    /// where it is stated: without translating it.
    pub fn stated(
        graph: &Graph,
        size: Option<[i64; 2]>,
    ) -> Result<([i64; 3], Option<i64>), EngineError> {
        let shape = takes(only("input", &graph.inputs)?, size)?.shape;
        let classes = match only("output", &graph.outputs)?.shape.as_deref() {
            Some(&[_, Some(classes)]) => i64::try_from(classes).ok(),
            _ => None,
        };
        Ok((shape, classes))
    }

    /// The same model behind Gaussian noise of this standard deviation, as [`super::Native`] has it.
    #[must_use]
    pub fn with_input_noise(self, deviation: f64) -> Self {
        Self { input: Input { noise: deviation, ..self.input }, ..self }
    }

    /// The same model behind a rounding of pixels to so many values, as [`super::Native`] has it.
    #[must_use]
    pub fn with_input_levels(self, levels: Option<u32>) -> Self {
        Self { input: Input { levels, ..self.input }, ..self }
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

    /// What a user has to know, in words: where images go through one by one, and why.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        self.rows.notice(
            "export it with a free batch dimension (dynamic_axes, dynamic_shapes) to make it faster",
        )
    }

    /// Numbers in the file that the network computes with.
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        self.network.parameter_count()
    }

    /// The steps with the shapes that they really give, found by passing one blank image.
    pub fn describe(&self) -> Result<Vec<LayerRecord>, EngineError> {
        Ok(self.network.describe(&self.blank()?)?.0)
    }

    /// Floating-point operations of a forward pass of one image: two for each multiplication that
    /// convolutions and products of matrices add up, as their textbook sums say.
    pub fn flops(&self) -> Result<u64, EngineError> {
        Ok(2 * self.network.describe(&self.blank()?)?.1)
    }

    fn blank(&self) -> Result<Tensor, EngineError> {
        let [c, h, w] = self.shape;
        self.arranged(&Tensor::f_zeros([1, c, h, w], (self.network.kind(), Device::Cpu))?)
    }

    /// Images `[n,c,h,w]` in [0, 1] -> logits `[n,k]`, with the graph behind them.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let size = images.size();
        if size.get(1..) != Some(self.shape.as_slice()) {
            return Err(EngineError::Input {
                what: "images for the ONNX model",
                expected: format!("[n] and {:?}", self.shape),
                found: format!("{size:?}"),
            });
        }
        let images = self.input.prepare(images)?;
        self.rows.logits(&images, &|images| self.together(images))
    }

    /// Normalised images `[n,c,h,w]` in one pass.
    fn together(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let n = images.size()[0];
        let rows = if self.single { n } else { 1 };
        let output = self.network.forward(&self.arranged(images)?, rows)?;
        trial::logits(&output, n)
    }

    fn arranged(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(match self.layout {
            Layout::ChannelsFirst => images.shallow_clone(),
            Layout::ChannelsLast => images.f_permute([0, 2, 3, 1])?,
        })
    }

    /// Finds the number of classes, and how many images it can be shown at once.
    fn try_out(&mut self, kind: Kind) -> Result<(), EngineError> {
        let images = self.input.prepare(&Trial::images(self.shape, kind)?)?;
        let trial = Trial::of(&images, &|images| self.together(images))?;
        (self.classes, self.rows) = (trial.classes, trial.rows);
        Ok(())
    }

    /// The same model with another form of its network.
    fn with_network(&self, network: Translated) -> Self {
        let (input, rows) = (self.input.clone(), self.rows.clone());
        let &Self { shape, layout, classes, single, .. } = self;
        Self { network: Rc::new(network), input, shape, layout, classes, rows, single }
    }

    #[cfg(target_arch = "x86_64")]
    fn compiled(&self) -> Result<Option<Compiled>, EngineError> {
        if self.layout == Layout::ChannelsLast || self.network.kind() != Kind::Float {
            return Ok(None);
        }
        let folded = self.network.folded()?;
        let program = folded.as_ref().unwrap_or(&self.network).lowered(self.shape)?;
        match program {
            Some(program) => Compiled::of(program, &self.input, self.shape, self.classes),
            None => Ok(None),
        }
    }
}

impl Classifier for Onnx {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let _guard = tch::no_grad_guard();
        self.forward(images)
    }

    fn declared_noisy(&self) -> bool {
        self.input.noise > 0.0
    }
}

impl Differentiable for Onnx {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.f_detach()?.f_set_requires_grad(true)?;
        let logits = self.forward(&images)?;
        Ok(Pass::new(images, logits))
    }

    fn form(&self, view: View) -> Result<Option<Box<dyn Differentiable>>, EngineError> {
        let form = |network: Option<Translated>| {
            network.map(|network| Box::new(self.with_network(network)) as Box<dyn Differentiable>)
        };
        Ok(match view {
            View::Reference => None,
            View::Folded => form(self.network.folded()?),
            View::Bf16 => {
                let folded = self.network.folded()?;
                form(folded.as_ref().unwrap_or(&self.network).half()?)
            }
            #[cfg(target_arch = "x86_64")]
            View::Compiled => {
                self.compiled()?.map(|compiled| Box::new(compiled) as Box<dyn Differentiable>)
            }
            #[cfg(not(target_arch = "x86_64"))]
            View::Compiled => None,
        })
    }
}

/// What a graph takes.
struct Takes {
    single: bool,
    shape: [i64; 3],
    layout: Layout,
}

fn only<'a>(what: &str, ports: &'a [Port]) -> Result<&'a Port, OnnxError> {
    if let [port] = ports {
        return Ok(port);
    }
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    Err(OnnxError::Port {
        what: format!("the graph's {what}s"),
        expected: "one, as a classifier of images has".to_owned(),
        found: format!("{}: {}", names.len(), names.join(", ")),
        remedy: "export the model so that it takes images and gives logits alone",
    })
}

/// The images that an input is for.
fn takes(port: &Port, size: Option<[i64; 2]>) -> Result<Takes, OnnxError> {
    let wrong = |expected: &str, found: String, remedy| OnnxError::Port {
        what: format!("the input '{}'", port.name),
        expected: expected.to_owned(),
        found,
        remedy,
    };
    if let Some(kind) = port.kind
        && !matches!(kind, Element::F64 | Element::F32 | Element::F16 | Element::BF16)
    {
        let remedy = "export the model with an input of floats, on which pixels lie in [0, 1] before mean and std";
        return Err(wrong("floating-point numbers", kind.name().to_owned(), remedy));
    }
    let stated = port.shape.as_deref().unwrap_or_default();
    let text = format!("{stated:?}").replace("None", "free").replace("Some", "");
    let &[batch, a, b, c] = stated else {
        let expected =
            "images of shape [n, channels, height, width] or [n, height, width, channels]";
        return Err(wrong(expected, text, "export the model with an input of images"));
    };
    if batch.is_some_and(|batch| batch != 1) {
        let remedy = "export the model for one image, or for any number";
        return Err(wrong("a batch that is 1 or free", text, remedy));
    }
    let is_channels = |side: Option<u64>| matches!(side, Some(1 | 3));
    let (layout, channels, sides) = match (a, c) {
        (first, _) if is_channels(first) => (Layout::ChannelsFirst, first, [b, c]),
        (_, last) if is_channels(last) => (Layout::ChannelsLast, last, [a, b]),
        _ => {
            let remedy = "export the model with a stated number of channels";
            return Err(wrong("1 or 3 channels, first or last", text, remedy));
        }
    };
    let side = |at: usize| {
        let stated = sides[at].and_then(|side| i64::try_from(side).ok());
        stated.or(size.map(|size| size[at]))
    };
    if let Some(size) = size
        && [Some(size[0]), Some(size[1])] != [side(0), side(1)]
    {
        let remedy = "leave out the manifest's input_size: the file says it";
        return Err(wrong(&format!("images of {size:?}, as input_size says"), text, remedy));
    }
    let (Some(height), Some(width)) = (side(0), side(1)) else {
        let remedy = "say it in a manifest: input_size = [height, width]";
        return Err(wrong("images of a stated size", text, remedy));
    };
    let channels = channels.map_or(3, |channels| channels as i64);
    let possible = |side: i64| (1..=LARGEST).contains(&side);
    if !possible(height) || !possible(width) || channels * height > LARGEST / width {
        let expected = format!("images of at most {LARGEST} numbers");
        return Err(wrong(&expected, text, "export the model with images that are shown to it"));
    }
    Ok(Takes { single: batch == Some(1), shape: [channels, height, width], layout })
}
