//! PreActResNet-18 and 34 (He et al. 2016) for images of 32x32 pixels, as published robust checkpoints
//! have them.

use super::architecture::{CHANNELS, classes, size, width};
use super::resnet::{BLOCKS_18, BLOCKS_34, Stages, doubled, guess as usual};
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{
    Activation, Builder, Conv, GlobalAveragePool, Layers, Linear, Norm, PreactBlock, PreactForm,
    PreactSize, Projection, Relu, Window,
};
use crate::settings::{Range, Setting};

const LAST_NORM: Setting = Setting {
    name: "last_norm",
    value: Range::Choice(&["yes", "no"]),
    about: "whether batch norm and ReLU stand behind the last stage",
};

const SHORTCUT: Setting = Setting {
    name: "shortcut",
    value: Range::Choice(&["activated", "plain"]),
    about: "whether a shortcut's convolution takes what the first ReLU gives, or the block's input",
};

pub(super) static PREACTRESNET18: ArchitectureSpec = spec(
    "preactresnet18",
    "PreActResNet-18",
    "A 3x3 convolution of 64 channels, four stages of 64, 128, 256 and 512 channels with \
     two residual blocks each, batch norm and ReLU, a global average pool and a fully \
     connected layer. In a block, batch norm and ReLU come before each convolution, and \
     nothing behind the sum. Where stages 2 to 4 begin, the image is halved and the shortcut \
     is a 1x1 convolution of what the first ReLU gives. Published files differ in two ways that \
     parameters say: those of github.com/kuangliu/pytorch-cifar have no batch norm `bn` behind \
     the last stage (last_norm=no), and in those of github.com/locuslab/fast_adversarial, and in \
     RobustBench's own, shortcuts take what comes before that ReLU (shortcut=plain), which no name \
     shows. State dict names: conv1, layer1.0.bn1, layer1.0.conv1, layer1.0.bn2, layer1.0.conv2 .. \
     layer2.0.shortcut.0 .. bn, linear. Initial weights are PyTorch's defaults.",
    &[],
    |builder, form| build(builder, form, BLOCKS_18),
);

pub(super) static PREACTRESNET34: ArchitectureSpec = spec(
    "preactresnet34",
    "PreActResNet-34",
    "PreActResNet-18 with 3, 4, 6 and 3 residual blocks in its stages; names and parameters are the \
     same.",
    &[("width", "8"), ("last_norm", "no"), ("shortcut", "plain")],
    |builder, form| build(builder, form, BLOCKS_34),
);

/// The block whose shortcut takes its input.
static PLAIN: PreactForm = PreactForm { shortcut: Projection::Plain, ..PreactForm::USUAL };

const PARAMETERS: &[Setting] = &[classes(10), size(32), CHANNELS, width(64), LAST_NORM, SHORTCUT];

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
        source: "He et al. 2016, Identity Mappings in Deep Residual Networks; in the form for CIFAR of \
                 github.com/locuslab/robust_overfitting (Rice et al. 2020)",
        about,
        parameters: PARAMETERS,
        positional: &[],
        unseen: &["size", "shortcut"],
        idle: &[],
        small,
        guess,
        build,
    }
}

fn guess(file: &Shapes) -> Guess {
    usual(file).word("last_norm", if file.has("bn.weight") { "yes" } else { "no" })
}

fn build(
    builder: &mut Builder,
    form: &Architecture,
    counts: [usize; 4],
) -> Result<Layers, EngineError> {
    let width = form.count("width");
    let widths = doubled(width);
    let stages = Stages { widths: &widths, counts: &counts, expansion: 1 };
    let block = if form.choice("shortcut") == "plain" { &PLAIN } else { &PreactForm::USUAL };
    let stem = [form.channels(), width];
    let mut layers: Layers = vec![Box::new(Conv::plain(builder, "conv1", stem, Window::THREE)?)]; // [n, 64, 32, 32]
    for ([stage, number], step) in stages.steps(width) {
        let name = format!("layer{}.{number}", stage + 1);
        let size =
            PreactSize { widths: step.widths, stride: step.stride, activation: Activation::Relu };
        layers.push(Box::new(PreactBlock::of_form(builder, name, size, block)?));
    }
    if form.choice("last_norm") == "yes" {
        layers.push(Box::new(Norm::new(builder, "bn".to_owned(), stages.output())?)); // [n, 512, 4, 4]
        layers.push(Box::new(Relu));
    }
    layers.push(Box::new(GlobalAveragePool)); // [n, 512]
    layers.push(Box::new(Linear::new(builder, "linear", [stages.output(), form.classes])?));
    Ok(layers)
}
