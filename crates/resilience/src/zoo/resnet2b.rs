//! ResNet-2B, a small ResNet without batch norm that verifiers are compared on.

use super::architecture::{CHANNELS, classes, size};
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{BasicBlock, Builder, Conv, Flatten, Layers, Linear, Relu, Window};

pub(super) static SPEC: ArchitectureSpec = ArchitectureSpec {
    id: "resnet2b",
    title: "ResNet-2B",
    source: "alpha-beta-CROWN and VNN-COMP 2021, benchmark cifar10_resnet",
    about: "A 3x3 convolution of 8 channels that halves the image, two residual blocks of 16 \
            channels of which the first halves it again, then fully connected layers of 100 \
            features and as many as there are classes. There is no batch norm: every convolution \
            has a bias. The first block's shortcut is a 1x1 convolution. State dict names: conv1, \
            layer1.0.conv1, layer1.0.conv2, layer1.0.shortcut.0, layer1.1.conv1, layer1.1.conv2, \
            linear1, linear2.",
    parameters: &[classes(10), size(32), CHANNELS],
    positional: &[],
    unseen: &[],
    idle: &[],
    small: &[],
    guess,
    build,
};

fn guess(file: &Shapes) -> Guess {
    let side = file.side("linear1.weight", 1).map(|features| 4 * (features / 16).isqrt());
    Guess::default()
        .with("classes", file.side("linear2.weight", 0))
        .with("channels", file.side("conv1.weight", 1))
        .with("size", side)
}

fn build(builder: &mut Builder, form: &Architecture) -> Result<Layers, EngineError> {
    let stem = [form.channels(), 8];
    let features = 16 * ((form.size() + 3) / 4).pow(2);
    Ok(vec![
        Box::new(Conv::with_bias(builder, "conv1", stem, Window::THREE_HALVING)?), // [n, 8, 16, 16]
        Box::new(Relu),
        Box::new(BasicBlock::projected(builder, "layer1.0".to_owned(), [8, 16])?), // [n, 16, 8, 8]
        Box::new(BasicBlock::projected(builder, "layer1.1".to_owned(), [16, 16])?),
        Box::new(Flatten), // [n, 1024]
        Box::new(Linear::new(builder, "linear1", [features, 100])?),
        Box::new(Relu),
        Box::new(Linear::new(builder, "linear2", [100, form.classes])?), // [n, 10]
    ])
}
