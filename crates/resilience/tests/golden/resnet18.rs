//! ResNet-18 against PyTorch.

use super::network::{self, Inputs};
use super::resnet_cifar::tensor;

/// Would catch a stem, stride, shortcut or batch norm other than the published architecture's, and
/// a state dict with other names.
#[test]
fn resnet18_agrees_with_pytorch() {
    let mean_std = [[0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]];
    let inputs = Inputs { tensor, first: 9000, images: 9200, mean_std };
    network::agrees("resnet18", "resnet18/resnet18.json", &inputs);
}
