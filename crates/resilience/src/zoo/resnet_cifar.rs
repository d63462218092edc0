//! ResNets for CIFAR of depth 6n + 2 (He et al. 2015, section 4.2), shortcut option A.

use super::architecture::{CHANNELS, classes, size, width};
use super::resnet::{Stages, Stem, guess, residual};
use super::{Architecture, ArchitectureSpec};
use crate::error::EngineError;
use crate::layer::{BasicBlock, Builder, Layers};
use crate::settings::Setting;

pub(super) static RESNET20: ArchitectureSpec = spec("resnet20", "ResNet-20", &[], build::<20>);
pub(super) static RESNET32: ArchitectureSpec = spec("resnet32", "ResNet-32", &[], build::<32>);
pub(super) static RESNET44: ArchitectureSpec = spec("resnet44", "ResNet-44", NARROW, build::<44>);
pub(super) static RESNET56: ArchitectureSpec = spec("resnet56", "ResNet-56", NARROW, build::<56>);
pub(super) static RESNET110: ArchitectureSpec =
    spec("resnet110", "ResNet-110", NARROW, build::<110>);

const NARROW: &[(&str, &str)] = &[("width", "8")];

const PARAMETERS: &[Setting] = &[classes(10), size(32), CHANNELS, width(16)];

const fn spec(
    id: &'static str,
    title: &'static str,
    small: &'static [(&'static str, &'static str)],
    build: fn(&mut Builder, &Architecture) -> Result<Layers, EngineError>,
) -> ArchitectureSpec {
    ArchitectureSpec {
        id,
        title,
        source: "He et al. 2015, Deep Residual Learning for Image Recognition, section 4.2",
        about: "A 3x3 convolution, three stages of 16, 32 and 64 channels with (depth - 2) / 6 \
                residual blocks each, a global average pool and a fully connected layer. Where a \
                stage begins, the shortcut takes every second pixel and pads zero channels evenly \
                on both sides (option A). State dict names: conv1, bn1, layer1.0.conv1 .. linear. \
                Initial weights are PyTorch's defaults.",
        parameters: PARAMETERS,
        positional: &[],
        unseen: &["size"],
        idle: &[],
        small,
        guess,
        build,
    }
}

fn build<const DEPTH: usize>(
    builder: &mut Builder,
    form: &Architecture,
) -> Result<Layers, EngineError> {
    let width = form.count("width");
    let widths = [width, 2 * width, 4 * width];
    let counts = [(DEPTH - 2) / 6; 3];
    let stages = Stages { widths: &widths, counts: &counts, expansion: 1 };
    residual(builder, form, Stem::Small, stages, |builder, name, step| {
        Ok(Box::new(BasicBlock::padded(builder, name, step.widths)?))
    })
}
