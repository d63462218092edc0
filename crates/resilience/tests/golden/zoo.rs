//! The architectures with parameters against PyTorch.

use super::network::{self, Inputs};
use super::{fixture, formula};

fn tensor(stream: u64, name: &str, shape: &[usize]) -> Vec<f64> {
    let n = shape.iter().product();
    if let [_, fan_in @ ..] = shape
        && [2, 4].contains(&shape.len())
    {
        let scale = (6.0 / fan_in.iter().product::<usize>() as f64).sqrt();
        return formula::signed(stream, n).into_iter().map(|value| value * scale).collect();
    }
    let units = formula::unit(stream, n).into_iter();
    if name == "std" || name.ends_with(".weight") || name.ends_with(".running_var") {
        return units.map(|value| 0.5 + value).collect();
    }
    units.map(|value| 0.4 * value - 0.2).collect()
}

/// Every case of the file, each of which is an architecture with parameters.
fn agree(file: &str) {
    for case in fixture(&format!("zoo/{file}.json")).as_array().unwrap() {
        let first = case["stream"].as_u64().unwrap();
        let inputs = Inputs { tensor, first, images: first + 500, mean_std: [[0.0; 3], [1.0; 3]] };
        network::agrees_with(case["name"].as_str().unwrap(), case, &inputs);
    }
}

/// Would catch a bottleneck or a basic block whose stride, order or shortcut is another than the published
/// architecture's, a stage of another length, and parameters (width, classes, channels, size) that build
/// another network.
#[test]
fn resnets_agree_with_pytorch() {
    agree("resnet");
}

/// Would catch the same with torchvision's names, another stem, an image whose size is not even, and a
/// Wide ResNet-50-2 that is widened elsewhere.
#[test]
fn resnets_for_imagenet_agree_with_pytorch() {
    agree("resnet-imagenet");
}

/// Would catch a shortcut of what is not meant, and a batch norm at the end that should not be there.
#[test]
fn preactresnets_agree_with_pytorch() {
    agree("preactresnet");
}

/// Would catch another depth, width, activation or shortcut than TRADES' WideResNet has.
#[test]
fn wideresnets_agree_with_pytorch() {
    agree("wideresnet");
}

/// Would catch a margin on the wrong side, and a mean or std of the state dict that is not applied, or is
/// asked of a file that has none.
#[test]
fn dm_networks_agree_with_pytorch() {
    agree("dm-wideresnet");
    agree("dm-preactresnet");
}

/// Would catch a window, a margin, an order of flattened pixels or a name of the small networks that is
/// another, for colour and for grey images.
#[test]
fn small_networks_agree_with_pytorch() {
    agree("cnn");
}
