//! The networks without batch norm against PyTorch.

use super::formula;
use super::network::{self, Inputs};

fn tensor(stream: u64, _: &str, shape: &[usize]) -> Vec<f64> {
    let fan_in: usize = shape[1..].iter().product();
    let scale = if shape.len() == 1 { 1.0 / 8.0 } else { (6.0 / fan_in as f64).sqrt() };
    let values = formula::signed(stream, shape.iter().product());
    values.into_iter().map(|value| value * scale).collect()
}

/// Would catch a stride, padding, shortcut or order of the flattened pixels other than the
/// published architecture's, and a state dict with other names.
#[test]
fn resnet2b_agrees_with_pytorch() {
    let mean_std = [[0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]];
    let inputs = Inputs { tensor, first: 7000, images: 7100, mean_std };
    network::agrees("resnet2b", "plain/resnet2b.json", &inputs);
}

/// Would catch the same in the other architecture.
#[test]
fn cifar_wide_agrees_with_pytorch() {
    let mean_std = [[0.485, 0.456, 0.406], [0.225; 3]];
    let inputs = Inputs { tensor, first: 7200, images: 7300, mean_std };
    network::agrees("cifar-wide", "plain/cifar-wide.json", &inputs);
}
