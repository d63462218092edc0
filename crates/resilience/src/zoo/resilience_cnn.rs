//! ResilienceCNN, the custom model of the paper.

use super::architecture::{CHANNELS, classes, size};
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{Builder, Conv, Flatten, Layers, Linear, Relu, ReluMaxPool, Window};

pub(super) static SPEC: ArchitectureSpec = ArchitectureSpec {
    id: "resilience-cnn",
    title: "ResilienceCNN",
    source: "Khan et al., AI Resilience: A Revolutionary Benchmarking Model for AI Safety",
    about: "Two 3x3 convolutions of 32 and 64 channels, each followed by ReLU and 2x2 max \
            pooling, then fully connected layers of 128 features and as many as there are classes; \
            it gives logits. Its state dict has the names conv1, conv2, fc1 and fc2, and it takes \
            pixels in [0, 1] without normalisation unless a manifest says otherwise.",
    parameters: &[classes(10), size(32), CHANNELS],
    positional: &[],
    unseen: &[],
    idle: &[],
    small: &[],
    guess,
    build,
};

fn guess(file: &Shapes) -> Guess {
    let side = file.side("fc1.weight", 1).map(|features| 4 * (features / 64).isqrt());
    Guess::default()
        .with("classes", file.side("fc2.weight", 0))
        .with("channels", file.side("conv1.weight", 1))
        .with("size", side)
}

fn build(builder: &mut Builder, form: &Architecture) -> Result<Layers, EngineError> {
    let features = 64 * (form.size() / 4).pow(2);
    Ok(vec![
        Box::new(Conv::with_bias(builder, "conv1", [form.channels(), 32], Window::THREE)?), // [n, 32, 32, 32]
        Box::new(ReluMaxPool), // [n, 32, 16, 16]
        Box::new(Conv::with_bias(builder, "conv2", [32, 64], Window::THREE)?), // [n, 64, 16, 16]
        Box::new(ReluMaxPool), // [n, 64, 8, 8]
        Box::new(Flatten),     // [n, 4096]
        Box::new(Linear::new(builder, "fc1", [features, 128])?),
        Box::new(Relu),
        Box::new(Linear::new(builder, "fc2", [128, form.classes])?), // [n, 10]
    ])
}
