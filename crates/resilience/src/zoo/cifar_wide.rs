//! The wide network of the OVAL benchmark, first trained to be certified by Wong and Kolter.

use super::ArchitectureSpec;
use crate::error::EngineError;
use crate::layer::{Builder, Conv, Flatten, Layers, Linear, Relu, Window};

pub(super) static SPEC: ArchitectureSpec = ArchitectureSpec {
    id: "cifar-wide",
    title: "CIFAR wide",
    source: "Wong et al. 2018, Scaling Provable Adversarial Defenses; named in Lu and Kumar 2020, \
             Neural Network Branching for Neural Network Verification",
    about: "Two 4x4 convolutions of 16 and 32 channels, each halving the image and followed by \
            ReLU, then fully connected layers of 100 and 10 features. Its state dict has the \
            numbers of the layers for names: 0, 2, 5 and 7.",
    input: [3, 32, 32],
    classes: 10,
    build,
};

fn build(builder: &mut Builder) -> Result<Layers, EngineError> {
    let halving = Window { size: 4, stride: 2, padding: 1 };
    Ok(vec![
        Box::new(Conv::with_bias(builder, "0", [3, 16], halving)?), // [n, 16, 16, 16]
        Box::new(Relu),
        Box::new(Conv::with_bias(builder, "2", [16, 32], halving)?), // [n, 32, 8, 8]
        Box::new(Relu),
        Box::new(Flatten), // [n, 2048]
        Box::new(Linear::new(builder, "5", [32 * 8 * 8, 100])?),
        Box::new(Relu),
        Box::new(Linear::new(builder, "7", [100, 10])?), // [n, 10]
    ])
}
