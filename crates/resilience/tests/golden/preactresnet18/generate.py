"""PreActResNet-18 for images of 32x32 pixels (He et al. 2016), in float64.

    python generate.py        (PyTorch 2.11; writes preactresnet18.json beside it)

Inputs, with the formulas of ../formula.py. Parameters and statistics in the order p = 0, 1, … of
the fixture's list `tensors` (which is that of the usual state dict, without the counters
num_batches_tracked): element i of

- a convolution's weight: signed(9300 + p, i) * sqrt(6 / fan_in), the root in float64;
- a batch norm's weight and running_var: 0.5 + unit(9300 + p, i);
- a batch norm's bias and running_mean: 0.4 * unit(9300 + p, i) - 0.2;
- linear.weight: signed(9300 + p, i) / 64;   linear.bias: signed(9300 + p, i) / 8.

Images [2,3,32,32] = byte(9500, i) / 255; labels [2] = label(9501, i). The network normalises with
mean 0.4914, 0.4822, 0.4465 and std 0.2471, 0.2435, 0.2616; batch norm uses the running statistics,
with epsilon 1e-5.

Architecture, as github.com/locuslab/robust_overfitting has it: conv 3x3 (3 -> 64); four stages of
two blocks with 64, 128, 256, 512 channels, the first block of stages 2 to 4 with stride 2; bn, ReLU;
mean over the 4x4 pixels; linear. A block: a = relu(bn1(x)), then conv2(relu(bn2(conv1(a)))) +
shortcut; conv1 has the stride, both 3x3, padding 1, without bias. The shortcut is x, or, where the
stage changes, a 1x1 convolution of a with the stride and without bias (shortcut.0).

Fixture: `tensors` (names and shapes), `logits` [2, 10], `loss` (mean cross-entropy), `gradient` of
the loss with respect to the images before normalisation: its sum, Euclidean norm, product with
signed(9502, i) and first eight elements. The generator changes one rule of the network at a time and
fails where the fixture would not show it.
"""

import os
import sys

import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)


class Block(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        stride = 1 if before == after else 2
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        if stride == 2:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=2, bias=False))

    def around(self, x, active):
        return self.shortcut(active) if hasattr(self, "shortcut") else x

    def forward(self, x):
        active = F.relu(self.bn1(x))
        inner = F.relu(self.bn2(self.conv1(active)))
        return self.conv2(inner) + self.around(x, active)


class PreActResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.layer1 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.layer2 = nn.Sequential(Block(64, 128), Block(128, 128))
        self.layer3 = nn.Sequential(Block(128, 256), Block(256, 256))
        self.layer4 = nn.Sequential(Block(256, 512), Block(512, 512))
        self.bn = nn.BatchNorm2d(512)
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        return self.linear(F.avg_pool2d(F.relu(self.bn(x)), 4).flatten(1))


def tensor(stream, name, shape):
    if name == "linear.weight":
        return formula.signed(stream, shape) / 64
    if name == "linear.bias":
        return formula.signed(stream, shape) / 8
    if len(shape) == 4:
        return formula.signed(stream, shape) * (6 / shape[1:].numel()) ** 0.5
    if name.endswith((".weight", ".running_var")):
        return 0.5 + formula.unit(stream, shape)
    return 0.4 * formula.unit(stream, shape) - 0.2


def result(network):
    """What the network computes, as the fixture has it."""

    def channels(values):
        return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)

    x = (formula.byte(9500, (2, 3, 32, 32)).double() / 255).requires_grad_()
    y = formula.label(9501, 2)
    z = network((x - channels(MEAN)) / channels(STD))
    loss = F.cross_entropy(z, y)
    (gradient,) = torch.autograd.grad(loss, x)
    return {
        "logits": z.tolist(),
        "labels": y.tolist(),
        "loss": loss.item(),
        "gradient": formula.digest(gradient, 9502),
    }


def build():
    """The network with its values, and their names and shapes."""
    network = PreActResNet18().double().eval()
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    values = {k: tensor(9300 + p, k, v.shape) for p, (k, v) in enumerate(state.items())}
    network.load_state_dict(values, strict=False)
    return network, [{"name": k, "shape": list(v.shape)} for k, v in values.items()]


def other_rules():
    """Networks that each differ from the right one in one rule."""
    network, _ = build()
    network.layer2[0].around = lambda x, _: network.layer2[0].shortcut(x)
    yield "a projection of what is not activated", network
    network, _ = build()
    network.layer1[1].around = lambda _, active: active
    yield "an identity of what is activated", network
    network, _ = build()
    network.layer3[0].shortcut.append(nn.BatchNorm2d(256).double().eval())
    yield "a shortcut with batch norm", network
    network, _ = build()
    network.bn = nn.Identity()
    yield "no batch norm at the end", network
    network, _ = build()
    network.layer4[0].bn1.eps = 1e-3
    yield "another epsilon in a batch norm behind a sum", network
    network, _ = build()
    network.layer3[0].conv1.stride, network.layer3[0].conv2.stride = (1, 1), (2, 2)
    yield "the stride in the second convolution", network
    network, _ = build()
    projection = network.layer2[0].shortcut[0]
    projection.register_forward_pre_hook(lambda _, x: (x[0].roll((-1, -1), (2, 3)),))
    yield "a shortcut of the odd pixels", network
    network, _ = build()
    network.layer3.append(nn.ReLU())
    yield "ReLU behind a sum", network
    network, _ = build()
    network.conv1.register_forward_hook(lambda _, x, y: F.relu(y))
    yield "ReLU behind the first convolution", network


def main():
    network, tensors = build()
    right = result(network)
    print(right)
    expected = torch.tensor(right["logits"], dtype=torch.float64)
    for what, other in other_rules():
        apart = (torch.tensor(result(other)["logits"], dtype=torch.float64) - expected).abs().max().item()
        print(f"{what}: {apart:.1e}")
        assert apart > 1e-6, f"the fixture does not show {what}"
    fixture = {"torch": torch.__version__.split("+")[0], "tensors": tensors, **right}
    formula.write(os.path.join(HERE, "preactresnet18.json"), fixture)


if __name__ == "__main__":
    main()
