//! The CIFAR ResNet against PyTorch.

use super::formula;
use super::network::{self, Inputs};

/// The values that the generators of all CIFAR ResNet cases state.
pub fn tensor(stream: u64, name: &str, shape: &[usize]) -> Vec<f64> {
    let n = shape.iter().product();
    match name {
        "linear.weight" => formula::signed(stream, n).iter().map(|value| value / 64.0).collect(),
        "linear.bias" => formula::signed(stream, n).iter().map(|value| value / 8.0).collect(),
        _ if shape.len() == 4 => {
            let fan_in: usize = shape[1..].iter().product();
            let scale = (6.0 / fan_in as f64).sqrt();
            formula::signed(stream, n).iter().map(|value| value * scale).collect()
        }
        _ if name.ends_with(".weight") || name.ends_with(".running_var") => {
            formula::unit(stream, n).iter().map(|value| 0.5 + value).collect()
        }
        _ => formula::unit(stream, n).iter().map(|value| 0.4 * value - 0.2).collect(),
    }
}

/// Would catch a shortcut, stride, normalisation or batch-norm constant other than the published
/// architecture's, and a state dict with other names.
#[test]
fn resnet20_agrees_with_pytorch() {
    let mean_std = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
    let inputs = Inputs { tensor, first: 5000, images: 6000, mean_std };
    network::agrees("resnet20", "resnet-cifar/resnet20.json", &inputs);
}
