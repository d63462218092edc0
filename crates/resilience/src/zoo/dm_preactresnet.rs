//! PreActResNet-18 and 34 in the form of Gowal et al. 2020.

use super::architecture::{CHANNELS, activation, classes, size, width};
use super::resnet::{BLOCKS_18, BLOCKS_34, Stages, doubled};
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{
    Activation, Builder, Conv, GlobalAveragePool, Layers, Linear, Margin, Norm, PreactBlock,
    PreactForm, PreactSize, Projection, Standardise, Window,
};
use crate::settings::Setting;

pub(super) static DM_PREACTRESNET18: ArchitectureSpec =
    spec("dm-preactresnet18", "DM PreActResNet-18", |builder, form| {
        build(builder, form, BLOCKS_18)
    });

pub(super) static DM_PREACTRESNET34: ArchitectureSpec =
    spec("dm-preactresnet34", "DM PreActResNet-34", |builder, form| {
        build(builder, form, BLOCKS_34)
    });

static BLOCK: PreactForm = PreactForm {
    names: ["batchnorm_0", "conv_2d_1", "batchnorm_1", "conv_2d_2", "shortcut"],
    shortcut: Projection::PlainThree,
    margin: Margin::Behind,
};

const PARAMETERS: &[Setting] =
    &[classes(10), size(32), CHANNELS, width(64), activation(&["silu", "relu"])];

const fn spec(
    id: &'static str,
    title: &'static str,
    build: fn(&mut Builder, &Architecture) -> Result<Layers, EngineError>,
) -> ArchitectureSpec {
    ArchitectureSpec {
        id,
        title,
        source: "Gowal et al. 2020, Uncovering the Limits of Adversarial Training against Norm-Bounded \
                 Adversarial Examples; github.com/google-deepmind/deepmind-research, \
                 adversarial_robustness, which RobustBench calls DMPreActResNet",
        about: "PreActResNet with SiLU (Swish) unless activation says otherwise, and with batch norm behind \
                the last stage. The shortcut of a block that widens is a 3x3 convolution of the block's \
                input, and a convolution that halves the image has its zero pixels to the right and below. \
                Its first layer normalises pixels by `mean` and `std` of the state dict; where a file has \
                none, the manifest says them, and where it has, the manifest says mean 0 and std 1. State \
                dict names: mean, std, conv_2d, layer_0.0.batchnorm_0, layer_0.0.conv_2d_1, \
                layer_0.0.batchnorm_1, layer_0.0.conv_2d_2, layer_1.0.shortcut .. batchnorm, logits.",
        parameters: PARAMETERS,
        positional: &[],
        unseen: &["size", "activation"],
        idle: &[],
        small: &[("width", "8")],
        guess,
        build,
    }
}

fn guess(file: &Shapes) -> Guess {
    Guess::default()
        .with("classes", file.side("logits.weight", 0))
        .with("channels", file.side("conv_2d.weight", 1))
        .with("width", file.side("conv_2d.weight", 0))
}

fn build(
    builder: &mut Builder,
    form: &Architecture,
    counts: [usize; 4],
) -> Result<Layers, EngineError> {
    let width = form.count("width");
    let widths = doubled(width);
    let stages = Stages { widths: &widths, counts: &counts, expansion: 1 };
    let activation = Activation::named(form.choice("activation"));
    let normalise = Standardise::new(builder, form.channels())?;
    let stem = Conv::plain(builder, "conv_2d", [form.channels(), width], Window::THREE)?;
    let mut layers: Layers = vec![Box::new(normalise), Box::new(stem)]; // [n, 64, 32, 32]
    for ([stage, number], step) in stages.steps(width) {
        let name = format!("layer_{stage}.{number}");
        let size = PreactSize { widths: step.widths, stride: step.stride, activation };
        layers.push(Box::new(PreactBlock::of_form(builder, name, size, &BLOCK)?));
    }
    layers.push(Box::new(Norm::new(builder, "batchnorm".to_owned(), stages.output())?)); // [n, 512, 4, 4]
    layers.push(Box::new(activation));
    layers.push(Box::new(GlobalAveragePool)); // [n, 512]
    layers.push(Box::new(Linear::new(builder, "logits", [stages.output(), form.classes])?));
    Ok(layers)
}
