//! WideResNet (Zagoruyko and Komodakis 2016), as TRADES, AWP and most of RobustBench have it.

use super::architecture::{CHANNELS, activation, classes, size};
use super::resnet::Stages;
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{
    Activation, Builder, Conv, GlobalAveragePool, Layers, Linear, Margin, Norm, PreactBlock,
    PreactForm, PreactSize, Projection, Window,
};
use crate::settings::{Range, Setting};

/// How many convolutions there are, but for the shortcuts'.
pub(super) const DEPTH: Setting =
    Setting { name: "depth", value: Range::Count(28, 10, 1000), about: "layers, 6n + 4" };

/// How many times 16 channels the first stage has.
pub(super) const WIDEN: Setting = Setting {
    name: "widen",
    value: Range::Count(10, 1, 64),
    about: "how many times 16 channels the first stage has",
};

pub(super) static SPEC: ArchitectureSpec = ArchitectureSpec {
    id: "wideresnet",
    title: "WideResNet",
    source: "Zagoruyko and Komodakis 2016, Wide Residual Networks; in the form of \
             github.com/yaodongyu/TRADES, which RobustBench calls WideResNet",
    about: "A 3x3 convolution of 16 channels, three stages of 16, 32 and 64 times `widen` channels \
            with (depth - 4) / 6 residual blocks each, batch norm, activation, a global average pool \
            and a fully connected layer. In a block, batch norm and activation come before each \
            convolution, and nothing behind the sum; where the channels change, the shortcut is a \
            1x1 convolution of what the first activation gives. `wideresnet-34-10` is short for \
            wideresnet:depth=34,widen=10. State dict names: conv1, block1.layer.0.bn1, \
            block1.layer.0.conv1, block1.layer.0.bn2, block1.layer.0.conv2, \
            block1.layer.0.convShortcut .. bn1, fc; sub_block1, which some files have, computes \
            nothing. Initial weights are PyTorch's defaults.",
    parameters: &[classes(10), size(32), CHANNELS, DEPTH, WIDEN, activation(&Activation::NAMES)],
    positional: &["depth", "widen"],
    unseen: &["size", "activation"],
    idle: &["sub_block1."],
    small: &[("depth", "10"), ("widen", "1")],
    guess,
    build,
};

static BLOCK: PreactForm = PreactForm {
    names: ["bn1", "conv1", "bn2", "conv2", "convShortcut"],
    shortcut: Projection::Activated,
    margin: Margin::Around,
};

fn guess(file: &Shapes) -> Guess {
    Guess::default()
        .with("classes", file.side("fc.weight", 0))
        .with("channels", file.side("conv1.weight", 1))
        .with("depth", Some(6 * file.blocks("block1.layer.") + 4))
        .with("widen", file.side("block1.layer.0.conv1.weight", 0).map(|width| width / 16))
}

fn build(builder: &mut Builder, form: &Architecture) -> Result<Layers, EngineError> {
    let stem = Conv::plain(builder, "conv1", [form.channels(), 16], Window::THREE)?;
    let mut layers: Layers = vec![Box::new(stem)]; // [n, 16, 32, 32]
    let name = |stage, block| format!("block{}.layer.{block}", stage + 1);
    let names = Names { block: &name, norm: "bn1", head: "fc" };
    wide(builder, form, &mut layers, &names, &BLOCK)?;
    Ok(layers)
}

/// What the parts of a WideResNet are called.
pub(super) struct Names<'a> {
    /// A block, by its stage and its number, both from 0.
    pub block: &'a dyn Fn(usize, usize) -> String,
    /// The batch norm behind the last stage.
    pub norm: &'a str,
    /// The fully connected layer.
    pub head: &'a str,
}

/// Appends what follows the first convolution, of 16 channels.
pub(super) fn wide(
    builder: &mut Builder,
    form: &Architecture,
    layers: &mut Layers,
    names: &Names<'_>,
    block: &'static PreactForm,
) -> Result<(), EngineError> {
    let (depth, widen) = (form.count("depth"), form.count("widen"));
    if depth < 10 || (depth - 4) % 6 != 0 {
        return Err(form.refused("depth", "6n + 4, such as 28, 34 or 70"));
    }
    let widths = [16, 32, 64].map(|width| width * widen);
    let counts = [((depth - 4) / 6) as usize; 3];
    let stages = Stages { widths: &widths, counts: &counts, expansion: 1 };
    let activation = Activation::named(form.choice("activation"));
    for ([stage, number], step) in stages.steps(16) {
        let size = PreactSize { widths: step.widths, stride: step.stride, activation };
        let name = (names.block)(stage, number);
        layers.push(Box::new(PreactBlock::of_form(builder, name, size, block)?));
    }
    layers.push(Box::new(Norm::new(builder, names.norm.to_owned(), stages.output())?)); // [n, 64 k, 8, 8]
    layers.push(Box::new(activation));
    layers.push(Box::new(GlobalAveragePool)); // [n, 64 k]
    layers.push(Box::new(Linear::new(builder, names.head, [stages.output(), form.classes])?));
    Ok(())
}
