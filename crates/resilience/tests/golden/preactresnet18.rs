//! PreActResNet-18 against PyTorch.

use super::network::{self, Inputs};
use super::resnet_cifar::tensor;

/// Would catch a shortcut of the wrong values, an activation or batch norm in another place than the
/// published checkpoints', a missing one at the end, and a state dict with other names.
#[test]
fn preactresnet18_agrees_with_pytorch() {
    let mean_std = [[0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]];
    let inputs = Inputs { tensor, first: 9300, images: 9500, mean_std };
    network::agrees("preactresnet18", "preactresnet18/preactresnet18.json", &inputs);
}
