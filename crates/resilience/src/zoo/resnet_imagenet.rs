//! ResNet-18, 34 and 50 for ImageNet (He et al. 2015, table 1), with torchvision's names.

use super::architecture::{CHANNELS, classes, size, width};
use super::resnet::{BLOCKS_18, BLOCKS_34, Stages, Stem, bottleneck, doubled, residual};
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{BasicBlock, Builder, Layers};
use crate::settings::{Range, Setting};

const WIDEN: Setting = Setting {
    name: "widen",
    value: Range::Count(1, 1, 8),
    about: "how many times the usual channels are inside of a block (Wide ResNet-50-2 has 2)",
};

pub(super) static RESNET18: ArchitectureSpec = spec(
    "resnet18-imagenet",
    "ResNet-18 for ImageNet",
    "A 7x7 convolution of 64 channels and 3x3 max pooling, each of which halves the image, four \
     stages of 64, 128, 256 and 512 channels with two residual blocks each, a global average pool \
     and a fully connected layer; shortcut option B. State dict names are torchvision's: conv1, \
     bn1, layer1.0.conv1 .. layer2.0.downsample.0 .. fc.",
    &[classes(1000), size(224), CHANNELS, width(64)],
    |builder, form| basic(builder, form, BLOCKS_18),
);

pub(super) static RESNET34: ArchitectureSpec = spec(
    "resnet34-imagenet",
    "ResNet-34 for ImageNet",
    "ResNet-18 for ImageNet with 3, 4, 6 and 3 residual blocks in its stages; names are the same in \
     kind.",
    &[classes(1000), size(224), CHANNELS, width(64)],
    |builder, form| basic(builder, form, BLOCKS_34),
);

pub(super) static RESNET50: ArchitectureSpec = spec(
    "resnet50-imagenet",
    "ResNet-50 for ImageNet",
    "A 7x7 convolution of 64 channels and 3x3 max pooling, each of which halves the image, four \
     stages of 3, 4, 6 and 3 bottleneck blocks that give 256, 512, 1024 and 2048 channels, a global \
     average pool and a fully connected layer. The 3x3 convolution halves the image where stages 2 \
     to 4 begin. State dict names are torchvision's: conv1, bn1, layer1.0.conv1 .. \
     layer1.0.downsample.0 .. fc.",
    &[classes(1000), size(224), CHANNELS, width(64), WIDEN],
    |builder, form| {
        let widths = doubled(form.count("width"));
        let (widen, stages) =
            (form.count("widen"), Stages { widths: &widths, counts: &BLOCKS_34, expansion: 4 });
        residual(builder, form, Stem::Large, stages, |builder, name, step| {
            bottleneck(builder, name, step, "downsample", widen)
        })
    },
);

const fn spec(
    id: &'static str,
    title: &'static str,
    about: &'static str,
    parameters: &'static [Setting],
    build: fn(&mut Builder, &Architecture) -> Result<Layers, EngineError>,
) -> ArchitectureSpec {
    ArchitectureSpec {
        id,
        title,
        source: "He et al. 2015, Deep Residual Learning for Image Recognition, table 1; in the form of \
                 torchvision's models",
        about,
        parameters,
        positional: &[],
        unseen: &["size"],
        idle: &[],
        small: &[("width", "8"), ("size", "64"), ("classes", "10")],
        guess,
        build,
    }
}

fn guess(file: &Shapes) -> Guess {
    let width = file.side("conv1.weight", 0);
    let guess = Guess::default()
        .with("classes", file.side("fc.weight", 0))
        .with("channels", file.side("conv1.weight", 1))
        .with("width", width);
    match (file.has("layer1.0.conv3.weight"), file.side("layer1.0.conv1.weight", 0), width) {
        (true, Some(inner), Some(width)) if width > 0 => guess.with("widen", Some(inner / width)),
        _ => guess,
    }
}

fn basic(
    builder: &mut Builder,
    form: &Architecture,
    counts: [usize; 4],
) -> Result<Layers, EngineError> {
    let widths = doubled(form.count("width"));
    let stages = Stages { widths: &widths, counts: &counts, expansion: 1 };
    residual(builder, form, Stem::Large, stages, |builder, name, step| {
        Ok(Box::new(BasicBlock::downsampled(builder, name, step.widths)?))
    })
}
