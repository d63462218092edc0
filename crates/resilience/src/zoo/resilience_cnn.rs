//! ResilienceCNN, the custom model of the paper.

use super::ArchitectureSpec;
use crate::error::EngineError;
use crate::layer::{Builder, Conv, Flatten, Layers, Linear, Relu, ReluMaxPool, Window};

pub(super) static SPEC: ArchitectureSpec = ArchitectureSpec {
    id: "resilience-cnn",
    title: "ResilienceCNN",
    source: "Khan et al., AI Resilience: A Revolutionary Benchmarking Model for AI Safety",
    about: "Two 3x3 convolutions of 32 and 64 channels, each followed by ReLU and 2x2 max \
            pooling, then fully connected layers of 128 and 10 features; it gives logits. Its \
            state dict has the names conv1, conv2, fc1 and fc2, and it takes pixels in [0, 1] \
            without normalisation unless a manifest says otherwise.",
    input: [3, 32, 32],
    classes: 10,
    build,
};

fn build(builder: &mut Builder) -> Result<Layers, EngineError> {
    Ok(vec![
        Box::new(Conv::with_bias(builder, "conv1", [3, 32], Window::THREE)?), // [n, 32, 32, 32]
        Box::new(ReluMaxPool),                                                // [n, 32, 16, 16]
        Box::new(Conv::with_bias(builder, "conv2", [32, 64], Window::THREE)?), // [n, 64, 16, 16]
        Box::new(ReluMaxPool),                                                // [n, 64, 8, 8]
        Box::new(Flatten),                                                    // [n, 4096]
        Box::new(Linear::new(builder, "fc1", [64 * 8 * 8, 128])?),
        Box::new(Relu),
        Box::new(Linear::new(builder, "fc2", [128, 10])?), // [n, 10]
    ])
}
