//! ResNet-18 (He et al. 2015, table 1) with the stem that images of 32x32 pixels need, shortcut
//! option B.

use super::ArchitectureSpec;
use super::resnet_cifar::stages;
use crate::error::EngineError;
use crate::layer::{BasicBlock, Builder, Layers};

pub(super) static SPEC: ArchitectureSpec = ArchitectureSpec {
    id: "resnet18",
    title: "ResNet-18",
    source: "He et al. 2015, Deep Residual Learning for Image Recognition, table 1; in the form for \
             CIFAR of github.com/kuangliu/pytorch-cifar",
    about: "A 3x3 convolution of 64 channels without pooling, four stages of 64, 128, 256 and 512 \
            channels with two residual blocks each, a global average pool and a fully connected \
            layer. Where stages 2 to 4 begin, the image is halved and the shortcut is a 1x1 \
            convolution with batch norm (option B). State dict names: conv1, bn1, layer1.0.conv1, \
            layer1.0.bn1 .. layer2.0.shortcut.0, layer2.0.shortcut.1 .. linear. Initial weights \
            are PyTorch's defaults.",
    input: [3, 32, 32],
    classes: 10,
    build,
};

fn build(builder: &mut Builder) -> Result<Layers, EngineError> {
    stages(builder, &[64, 128, 256, 512], 2, BasicBlock::projected_with_norm)
}
