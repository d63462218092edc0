//! ResNet-18, 34 and 50 (He et al. 2015, table 1) with the stem that images of 32x32 pixels need, shortcut
//! option B; and what all ResNets have in common.

use super::architecture::{CHANNELS, classes, size, width};
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{
    BasicBlock, Bottleneck, BottleneckForm, Builder, Conv, GlobalAveragePool, Layer, Layers,
    Linear, MaxPool, Relu, Window,
};
use crate::settings::Setting;

/// Blocks of each stage.
pub(super) const BLOCKS_18: [usize; 4] = [2, 2, 2, 2];
pub(super) const BLOCKS_34: [usize; 4] = [3, 4, 6, 3];

pub(super) static RESNET18: ArchitectureSpec = spec(
    "resnet18",
    "ResNet-18",
    "A 3x3 convolution of 64 channels without pooling, four stages of 64, 128, 256 and 512 \
     channels with two residual blocks each, a global average pool and a fully connected \
     layer. Where stages 2 to 4 begin, the image is halved and the shortcut is a 1x1 \
     convolution with batch norm (option B). State dict names: conv1, bn1, layer1.0.conv1, \
     layer1.0.bn1 .. layer2.0.shortcut.0, layer2.0.shortcut.1 .. linear. Initial weights \
     are PyTorch's defaults.",
    &[],
    |builder, form| basic(builder, form, BLOCKS_18),
);

pub(super) static RESNET34: ArchitectureSpec = spec(
    "resnet34",
    "ResNet-34",
    "ResNet-18 for images of 32x32 pixels with 3, 4, 6 and 3 residual blocks in its stages; names \
     and initial weights are the same in kind.",
    &[("width", "8")],
    |builder, form| basic(builder, form, BLOCKS_34),
);

pub(super) static RESNET50: ArchitectureSpec = spec(
    "resnet50",
    "ResNet-50",
    "A 3x3 convolution of 64 channels without pooling, four stages of 3, 4, 6 and 3 bottleneck \
     blocks (1x1, 3x3, 1x1) that give 256, 512, 1024 and 2048 channels, a global average pool and a \
     fully connected layer. The 3x3 convolution halves the image where stages 2 to 4 begin; the \
     shortcut of every stage's first block is a 1x1 convolution with batch norm. State dict names: \
     conv1, bn1, layer1.0.conv1 .. layer1.0.conv3, layer1.0.bn3, layer1.0.shortcut.0 .. linear.",
    &[("width", "8")],
    |builder, form| {
        let widths = doubled(form.count("width"));
        let stages = Stages { widths: &widths, counts: &BLOCKS_34, expansion: 4 };
        residual(builder, form, Stem::Small, stages, |builder, name, step| {
            bottleneck(builder, name, step, "shortcut", 1)
        })
    },
);

const PARAMETERS: &[Setting] = &[classes(10), size(32), CHANNELS, width(64)];

const fn spec(
    id: &'static str,
    title: &'static str,
    about: &'static str,
    small: &'static [(&'static str, &'static str)],
    build: fn(&mut Builder, &Architecture) -> Result<Layers, EngineError>,
) -> ArchitectureSpec {
    ArchitectureSpec {
        id,
        title,
        source: "He et al. 2015, Deep Residual Learning for Image Recognition, table 1; in the form for \
                 CIFAR of github.com/kuangliu/pytorch-cifar",
        about,
        parameters: PARAMETERS,
        positional: &[],
        unseen: &["size"],
        idle: &[],
        small,
        guess,
        build,
    }
}

/// What the names that all these networks share show.
pub(super) fn guess(file: &Shapes) -> Guess {
    Guess::default()
        .with("classes", file.side("linear.weight", 0))
        .with("channels", file.side("conv1.weight", 1))
        .with("width", file.side("conv1.weight", 0))
}

fn basic(
    builder: &mut Builder,
    form: &Architecture,
    counts: [usize; 4],
) -> Result<Layers, EngineError> {
    let widths = doubled(form.count("width"));
    let stages = Stages { widths: &widths, counts: &counts, expansion: 1 };
    residual(builder, form, Stem::Small, stages, |builder, name, step| {
        Ok(Box::new(BasicBlock::projected_with_norm(builder, name, step.widths)?))
    })
}

/// Twice as many channels in each of four stages.
pub(super) fn doubled(width: i64) -> [i64; 4] {
    [1, 2, 4, 8].map(|times| times * width)
}

/// What comes before the first stage, and how the layers outside of the stages are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stem {
    /// A 3x3 convolution; the last layer is `linear`.
    Small,
    /// A 7x7 convolution and max pooling, each of which halves the image; the last layer is `fc`.
    Large,
}

/// A block's place in its network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Channels that come in, and those of its stage.
    pub widths: [i64; 2],
    /// 2 where a stage but the first begins.
    pub stride: i64,
}

/// A bottleneck block and the layer that it is, four times as wide as its stage.
pub(super) fn bottleneck(
    builder: &mut Builder,
    name: String,
    step: Step,
    shortcut: &'static str,
    widen: i64,
) -> Result<Box<dyn Layer>, EngineError> {
    let [input, width] = step.widths;
    let form = BottleneckForm {
        input,
        inner: width * widen,
        output: 4 * width,
        stride: step.stride,
        shortcut,
    };
    Ok(Box::new(Bottleneck::new(builder, name, form)?))
}

/// The stages of a residual network.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stages<'a> {
    /// Channels of each.
    pub widths: &'a [i64],
    /// Blocks of each.
    pub counts: &'a [usize],
    /// How many times its stage's channels a block gives.
    pub expansion: i64,
}

impl Stages<'_> {
    /// The stage and number of every block, both from 0, and its place, where `input` channels come into
    /// the first one.
    pub(super) fn steps(&self, mut input: i64) -> Vec<([usize; 2], Step)> {
        let mut steps = Vec::new();
        for (stage, (&width, &count)) in self.widths.iter().zip(self.counts).enumerate() {
            for block in 0..count {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                steps.push(([stage, block], Step { widths: [input, width], stride }));
                input = width * self.expansion;
            }
        }
        steps
    }

    /// Channels behind the last one.
    pub(super) fn output(&self) -> i64 {
        self.widths.last().map_or(0, |width| width * self.expansion)
    }
}

/// A stem, these stages of residual blocks, a global average pool and a fully connected layer.
pub(super) fn residual(
    builder: &mut Builder,
    form: &Architecture,
    stem: Stem,
    stages: Stages<'_>,
    make: impl Fn(&mut Builder, String, Step) -> Result<Box<dyn Layer>, EngineError>,
) -> Result<Layers, EngineError> {
    let (window, head) = match stem {
        Stem::Small => (Window::THREE, "linear"),
        Stem::Large => (Window { size: 7, stride: 2, padding: 3 }, "fc"),
    };
    let width = form.count("width");
    let first = [form.channels(), width];
    let mut layers: Layers =
        vec![Box::new(Conv::with_norm(builder, ["conv1", "bn1"], first, window)?), Box::new(Relu)];
    if stem == Stem::Large {
        layers.push(Box::new(MaxPool));
    }
    for ([stage, block], step) in stages.steps(width) {
        layers.push(make(builder, format!("layer{}.{block}", stage + 1), step)?);
    }
    layers.push(Box::new(GlobalAveragePool));
    layers.push(Box::new(Linear::new(builder, head, [stages.output(), form.classes])?));
    Ok(layers)
}
