//! ResNets for CIFAR of depth 6n + 2 (He et al. 2015, section 4.2), shortcut option A.

use super::ArchitectureSpec;
use crate::error::EngineError;
use crate::layer::{BasicBlock, Builder, Conv, GlobalAveragePool, Layers, Linear, Relu, Window};

pub(super) static RESNET20: ArchitectureSpec = spec("resnet20", "ResNet-20", build::<20>);
pub(super) static RESNET32: ArchitectureSpec = spec("resnet32", "ResNet-32", build::<32>);
pub(super) static RESNET44: ArchitectureSpec = spec("resnet44", "ResNet-44", build::<44>);
pub(super) static RESNET56: ArchitectureSpec = spec("resnet56", "ResNet-56", build::<56>);
pub(super) static RESNET110: ArchitectureSpec = spec("resnet110", "ResNet-110", build::<110>);

const fn spec(
    id: &'static str,
    title: &'static str,
    build: fn(&mut Builder) -> Result<Layers, EngineError>,
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
        input: [3, 32, 32],
        classes: 10,
        build,
    }
}

fn build<const DEPTH: usize>(builder: &mut Builder) -> Result<Layers, EngineError> {
    stages(builder, &[16, 32, 64], (DEPTH - 2) / 6, BasicBlock::padded)
}

/// Makes the residual block of that name, from one number of channels to another.
type MakeBlock = fn(&mut Builder, String, [i64; 2]) -> Result<BasicBlock, EngineError>;

/// A 3x3 convolution, stages of `blocks` residual blocks with these channels, a global average pool
/// and a fully connected layer.
pub(super) fn stages(
    builder: &mut Builder,
    widths: &[i64],
    blocks: usize,
    make: MakeBlock,
) -> Result<Layers, EngineError> {
    let mut width = widths[0];
    let mut layers: Layers = vec![
        Box::new(Conv::with_norm(builder, ["conv1", "bn1"], [3, width], Window::THREE)?),
        Box::new(Relu),
    ];
    for (stage, &output) in (1..).zip(widths) {
        for block in 0..blocks {
            let name = format!("layer{stage}.{block}");
            layers.push(Box::new(make(builder, name, [width, output])?));
            width = output;
        }
    }
    layers.push(Box::new(GlobalAveragePool));
    layers.push(Box::new(Linear::new(builder, "linear", [width, 10])?));
    Ok(layers)
}
