//! PreActResNet-18 (He et al. 2016) for images of 32x32 pixels, as published robust checkpoints
//! have it.

use super::ArchitectureSpec;
use crate::error::EngineError;
use crate::layer::{
    Builder, Conv, GlobalAveragePool, Layers, Linear, Norm, PreactBlock, Relu, Window,
};

pub(super) static SPEC: ArchitectureSpec = ArchitectureSpec {
    id: "preactresnet18",
    title: "PreActResNet-18",
    source: "He et al. 2016, Identity Mappings in Deep Residual Networks; in the form for CIFAR of \
             github.com/locuslab/robust_overfitting (Rice et al. 2020)",
    about: "A 3x3 convolution of 64 channels, four stages of 64, 128, 256 and 512 channels with \
            two residual blocks each, batch norm and ReLU, a global average pool and a fully \
            connected layer. In a block, batch norm and ReLU come before each convolution, and \
            nothing behind the sum. Where stages 2 to 4 begin, the image is halved and the shortcut \
            is a 1x1 convolution of what the first ReLU gives. The batch norm behind the last \
            stage, `bn`, is that of published robust checkpoints; those from \
            github.com/kuangliu/pytorch-cifar have none and do not fit. Those of \
            github.com/locuslab/fast_adversarial have the same names but are another network: \
            their shortcuts take what comes before that ReLU. State dict names: conv1, \
            layer1.0.bn1, layer1.0.conv1, layer1.0.bn2, layer1.0.conv2 .. layer2.0.shortcut.0 .. \
            bn, linear. Initial weights are PyTorch's defaults.",
    input: [3, 32, 32],
    classes: 10,
    build,
};

fn build(builder: &mut Builder) -> Result<Layers, EngineError> {
    let mut width = 64;
    let mut layers: Layers =
        vec![Box::new(Conv::plain(builder, "conv1", [3, width], Window::THREE)?)]; // [n, 64, 32, 32]
    for (stage, output) in (1..).zip([64, 128, 256, 512]) {
        for block in 0..2 {
            let name = format!("layer{stage}.{block}");
            layers.push(Box::new(PreactBlock::new(builder, name, [width, output])?));
            width = output;
        }
    }
    layers.push(Box::new(Norm::new(builder, "bn".to_owned(), width)?)); // [n, 512, 4, 4]
    layers.push(Box::new(Relu));
    layers.push(Box::new(GlobalAveragePool)); // [n, 512]
    layers.push(Box::new(Linear::new(builder, "linear", [width, 10])?));
    Ok(layers)
}
