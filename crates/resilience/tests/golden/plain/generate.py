"""The networks without batch norm, ResNet-2B and CIFAR wide, in float64.

    python generate.py        (PyTorch 2.11; writes resnet2b.json and cifar-wide.json beside it)

Inputs, with the formulas of ../formula.py, from a first stream s of 7000 (ResNet-2B) or 7200 (CIFAR
wide). Parameters in the order p = 0, 1, … of the fixture's list `tensors`, the usual state dict's:
element i of

- a weight: signed(s + p, i) * sqrt(6 / fan_in), the root in float64;
- a bias: signed(s + p, i) / 8.

Images [2,3,32,32] = byte(s + 100, i) / 255; labels [2] = label(s + 101, i). The networks normalise
first: ResNet-2B with mean 0.4914, 0.4822, 0.4465 and std 0.2471, 0.2435, 0.2616, CIFAR wide with
mean 0.485, 0.456, 0.406 and std 0.225.

ResNet-2B: conv 3x3 (3 -> 8, stride 2), ReLU; a block 8 -> 16 with stride 2 and one 16 -> 16; flatten;
linear 1024 -> 100, ReLU, linear 100 -> 10. A block: relu(conv2(relu(conv1(x))) + shortcut(x)); conv1
has the stride; both 3x3 with padding 1. The shortcut is x itself, or in the first block a 1x1
convolution with the stride. Every convolution has a bias.

CIFAR wide: conv 4x4 (3 -> 16, stride 2, padding 1), ReLU, the same 16 -> 32, ReLU, flatten, linear
2048 -> 100, ReLU, linear 100 -> 10.

Fixture: `tensors` (names and shapes), `logits` [2, 10], `loss` (mean cross-entropy), `gradient` of
the loss with respect to the images before normalisation: its sum, Euclidean norm, product with
signed(s + 102, i) and first eight elements.
"""

import os
import sys

import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402


class Block(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        stride = 1 if before == after else 2
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Sequential()
        if stride == 2:
            self.shortcut.append(nn.Conv2d(before, after, 1, stride=2))

    def forward(self, x):
        return F.relu(self.conv2(F.relu(self.conv1(x))) + self.shortcut(x))


class ResNet2B(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.layer1 = nn.Sequential(Block(8, 16), Block(16, 16))
        self.linear1 = nn.Linear(16 * 8 * 8, 100)
        self.linear2 = nn.Linear(100, 10)

    def forward(self, x):
        x = self.layer1(F.relu(self.conv1(x)))
        return self.linear2(F.relu(self.linear1(x.flatten(1))))


def cifar_wide():
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 8 * 8, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def tensor(stream, name, shape):
    if name.endswith(".bias"):
        return formula.signed(stream, shape) / 8
    fan_in = shape[1:].numel()
    return formula.signed(stream, shape) * (6 / fan_in) ** 0.5


def case(name, network, stream, mean, std):
    def channels(values):
        return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)

    network = network.double()
    state = network.state_dict()
    network.load_state_dict(
        {key: tensor(stream + p, key, value.shape) for p, (key, value) in enumerate(state.items())}
    )
    x = (formula.byte(stream + 100, (2, 3, 32, 32)).double() / 255).requires_grad_()
    y = formula.label(stream + 101, 2)
    z = network((x - channels(mean)) / channels(std))
    loss = F.cross_entropy(z, y)
    (gradient,) = torch.autograd.grad(loss, x)
    print(name, z, y, loss, gradient.norm())
    formula.write(
        os.path.join(HERE, f"{name}.json"),
        {
            "torch": torch.__version__.split("+")[0],
            "tensors": [{"name": key, "shape": list(value.shape)} for key, value in state.items()],
            "logits": z.tolist(),
            "labels": y.tolist(),
            "loss": loss.item(),
            "gradient": formula.digest(gradient, stream + 102),
        },
    )


if __name__ == "__main__":
    case("resnet2b", ResNet2B(), 7000, (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
    case("cifar-wide", cifar_wide(), 7200, (0.485, 0.456, 0.406), (0.225, 0.225, 0.225))
