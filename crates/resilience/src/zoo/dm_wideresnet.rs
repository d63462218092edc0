//! WideResNet of Gowal et al. 2020, whose weights were converted from another framework.

use super::architecture::{CHANNELS, activation, classes, size};
use super::wideresnet::{DEPTH, Names, WIDEN, wide};
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{Builder, Conv, Layers, Margin, PreactForm, Projection, Standardise, Window};

pub(super) static SPEC: ArchitectureSpec = ArchitectureSpec {
    id: "dm-wideresnet",
    title: "DM WideResNet",
    source: "Gowal et al. 2020, Uncovering the Limits of Adversarial Training against Norm-Bounded \
             Adversarial Examples; github.com/google-deepmind/deepmind-research, \
             adversarial_robustness, which RobustBench calls DMWideResNet",
    about: "WideResNet with SiLU (Swish) unless activation says otherwise. A convolution that halves \
            the image has its zero pixels to the right and below. Its first layer normalises pixels \
            by `mean` and `std` of the state dict; where a file has none, the manifest says them, and \
            where it has, the manifest says mean 0 and std 1. `dm-wideresnet-70-16` is short for \
            dm-wideresnet:depth=70,widen=16. State dict names: mean, std, init_conv, \
            layer.0.block.0.batchnorm_0, layer.0.block.0.conv_0, layer.0.block.0.batchnorm_1, \
            layer.0.block.0.conv_1, layer.0.block.0.shortcut .. batchnorm, logits.",
    parameters: &[classes(10), size(32), CHANNELS, DEPTH, WIDEN, activation(&["silu", "relu"])],
    positional: &["depth", "widen"],
    unseen: &["size", "activation"],
    idle: &[],
    small: &[("depth", "10"), ("widen", "1")],
    guess,
    build,
};

static BLOCK: PreactForm = PreactForm {
    names: ["batchnorm_0", "conv_0", "batchnorm_1", "conv_1", "shortcut"],
    shortcut: Projection::Activated,
    margin: Margin::Behind,
};

fn guess(file: &Shapes) -> Guess {
    Guess::default()
        .with("classes", file.side("logits.weight", 0))
        .with("channels", file.side("init_conv.weight", 1))
        .with("depth", Some(6 * file.blocks("layer.0.block.") + 4))
        .with("widen", file.side("layer.0.block.0.conv_0.weight", 0).map(|width| width / 16))
}

fn build(builder: &mut Builder, form: &Architecture) -> Result<Layers, EngineError> {
    let normalise = Standardise::new(builder, form.channels())?;
    let stem = Conv::plain(builder, "init_conv", [form.channels(), 16], Window::THREE)?;
    let mut layers: Layers = vec![Box::new(normalise), Box::new(stem)]; // [n, 16, 32, 32]
    let name = |stage, block| format!("layer.{stage}.block.{block}");
    let names = Names { block: &name, norm: "batchnorm", head: "logits" };
    wide(builder, form, &mut layers, &names, &BLOCK)?;
    Ok(layers)
}
