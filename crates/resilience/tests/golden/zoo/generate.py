"""Every architecture that has parameters, in float64.

    python generate.py        (PyTorch 2.11, torchvision 0.26; writes NAME.json beside it)

The networks are in networks.py; those for ImageNet are held against torchvision's before anything is
written. Inputs, with the formulas of ../formula.py, from the case's first stream s. Parameters and
statistics in the order p = 0, 1, … of the fixture's list `tensors`; element i of

- a convolution's or fully connected layer's weight: signed(s + p, i) * sqrt(6 / fan_in), the root in
  float64;
- a batch norm's weight and running_var, and std: 0.5 + unit(s + p, i);
- anything else: 0.4 * unit(s + p, i) - 0.2.

Images [2, channels, size, size] = byte(s + 500, i) / 255; labels [2] = label(s + 501, i). Nothing is
normalised but by the network itself. Batch norm uses the running statistics, with epsilon 1e-5.

Fixture: a list of cases: `name` (the architecture, with its parameters), `stream`, `tensors` (names and
shapes), `logits`, `loss` (mean cross-entropy), `gradient` of the loss with respect to the images: its
sum, Euclidean norm, product with signed(s + 502, i) and first eight elements. Every case is changed in
one rule after the other, and the generator fails where the fixture would not show it.
"""

import os
import sys

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402
import networks as n  # noqa: E402

C18, C34 = (2, 2, 2, 2), (3, 4, 6, 3)
HALVING = (4, 2, 1)


def tensor(stream, name, shape):
    if len(shape) in (2, 4):
        return formula.signed(stream, shape) * (6 / shape[1:].numel()) ** 0.5
    if name == "std" or name.endswith((".weight", ".running_var")):
        return 0.5 + formula.unit(stream, shape)
    return 0.4 * formula.unit(stream, shape) - 0.2


def filled(network, stream):
    """The network with its values, and the list of its tensors."""
    network = network.double().eval()
    state = network.state_dict().items()
    shapes = {k: v.shape for k, v in state if not k.endswith("num_batches_tracked")}
    values = {k: tensor(stream + p, k, shape) for p, (k, shape) in enumerate(shapes.items())}
    network.load_state_dict(values, strict=False)
    return network, [{"name": k, "shape": list(shape)} for k, shape in shapes.items()]


def result(network, stream, channels, size):
    x = (formula.byte(stream + 500, (2, channels, size, size)).double() / 255).requires_grad_()
    y = formula.label(stream + 501, 2)
    z = network(x)
    loss = F.cross_entropy(z, y)
    (gradient,) = torch.autograd.grad(loss, x)
    return {
        "logits": z.tolist(),
        "loss": loss.item(),
        "gradient": formula.digest(gradient, stream + 502),
    }


def blocks(network):
    return [m for m in network.modules() if isinstance(m, (n.PreAct, n.Residual))]


def another_activation(network):
    for module in network.modules():
        if hasattr(module, "act"):
            module.act = F.silu if module.act is F.relu else F.relu


def another_shortcut(network):
    for block in blocks(network):
        block.plain = not block.plain


def another_margin(network):
    halving = [b for b in blocks(network) if getattr(b, "before_halving", None)]
    for block in halving:
        block.before_halving = (1, 0, 1, 0)


def padding_on_both_sides(network):
    for module in network.modules():
        if isinstance(module, nn.ZeroPad2d):
            module.padding = (2, 1, 2, 1)


def stride_in_the_first_convolution(network):
    for block in blocks(network):
        if block.conv2.stride == (2, 2):
            block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)


def another_epsilon(network):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3


def no_normalisation(network):
    network.own = False


def average_for_the_largest(network):
    network.forward = lambda x: largest_replaced(network, x)


def largest_replaced(network, x):
    x = F.avg_pool2d(F.relu(network.bn1(network.conv1(x))), 3, stride=2, padding=1)
    x = network.layer4(network.layer3(network.layer2(network.layer1(x))))
    return network.fc(x.mean((2, 3)))


PREACT = [another_activation, another_shortcut, another_epsilon]
DM = [*PREACT, another_margin]
RESNET = [another_epsilon]

# Name, how its network is made, channels and size of its images, and what is changed.
CASES = {
    "resnet": [
        ("resnet34:width=8", lambda: n.ResNet(C34, False, False, 8), 3, 32, RESNET),
        (
            "resnet50:classes=12,width=8",
            lambda: n.ResNet(C34, True, False, 8, classes=12),
            3,
            32,
            [*RESNET, stride_in_the_first_convolution],
        ),
        (
            "resnet18:size=28,channels=1,width=8",
            lambda: n.ResNet(C18, False, False, 8, channels=1),
            1,
            28,
            RESNET,
        ),
    ],
    "resnet-imagenet": [
        (
            "resnet18-imagenet:classes=11,size=64,width=8",
            lambda: n.ResNet(C18, False, True, 8, classes=11),
            3,
            64,
            [*RESNET, average_for_the_largest],
        ),
        (
            "resnet34-imagenet:classes=10,size=70,width=8",
            lambda: n.ResNet(C34, False, True, 8),
            3,
            70,
            RESNET,
        ),
        (
            "resnet50-imagenet:classes=10,size=64,width=8,widen=2",
            lambda: n.ResNet(C34, True, True, 8, widen=2),
            3,
            64,
            [*RESNET, stride_in_the_first_convolution, average_for_the_largest],
        ),
    ],
    "preactresnet": [
        (
            "preactresnet34:width=8,last_norm=no,shortcut=plain",
            lambda: n.PreActResNet(C34, 8, last_norm=False, plain=True),
            3,
            32,
            [another_shortcut, another_epsilon],
        ),
        (
            "preactresnet34:width=8",
            lambda: n.PreActResNet(C34, 8),
            3,
            32,
            [another_shortcut, another_epsilon],
        ),
    ],
    "wideresnet": [
        ("wideresnet:depth=16,widen=2", lambda: n.WideResNet(16, 2), 3, 32, PREACT),
        (
            "wideresnet:classes=100,depth=10,widen=1,activation=silu",
            lambda: n.WideResNet(10, 1, F.silu, classes=100),
            3,
            32,
            [another_activation, another_epsilon],
        ),
    ],
    "dm-wideresnet": [
        ("dm-wideresnet:depth=16,widen=2", lambda: n.DMWideResNet(16, 2), 3, 32, [*DM, no_normalisation]),
        (
            "dm-wideresnet:depth=10,widen=2,activation=relu",
            lambda: n.DMWideResNet(10, 2, F.relu, own=False),
            3,
            32,
            DM,
        ),
    ],
    "dm-preactresnet": [
        (
            "dm-preactresnet18:width=8",
            lambda: n.DMPreActResNet(C18, 8),
            3,
            32,
            [*DM, no_normalisation],
        ),
        (
            "dm-preactresnet34:size=28,channels=1,width=8,activation=relu",
            lambda: n.DMPreActResNet(C34, 8, F.relu, own=False, channels=1),
            1,
            28,
            DM,
        ),
    ],
    "cnn": [
        (
            "cifar-wide:size=28,channels=1",
            lambda: n.row([(16, *HALVING), (32, *HALVING)], [100], 1, 28),
            1,
            28,
            [],
        ),
        (
            "cifar-deep",
            lambda: n.row([(8, *HALVING), (8, 3, 1, 1), (8, 3, 1, 1), (8, *HALVING)], [100]),
            3,
            32,
            [],
        ),
        (
            "cnn-4layer-b:width=8,hidden=50",
            lambda: n.row([(8, 5, 2, 0), (32, *HALVING)], [50], pad=(1, 2, 1, 2)),
            3,
            32,
            [padding_on_both_sides],
        ),
        (
            "conv-small:size=28,channels=1",
            lambda: n.row([(16, 4, 2, 0), (32, 4, 2, 0)], [100], 1, 28),
            1,
            28,
            [],
        ),
        (
            "conv-big:classes=20,width=8,hidden=60",
            lambda: n.row([(8, 3, 1, 1), (8, *HALVING), (16, 3, 1, 1), (16, *HALVING)], [60, 60], classes=20),
            3,
            32,
            [],
        ),
    ],
}


def held_against_torchvision():
    """Fails where our module is not torchvision's: names and logits."""
    models = torchvision.models
    for theirs, ours in [
        (models.resnet18(), n.ResNet(C18, False, True, classes=1000)),
        (models.resnet34(), n.ResNet(C34, False, True, classes=1000)),
        (models.resnet50(), n.ResNet(C34, True, True, classes=1000)),
        (models.wide_resnet50_2(), n.ResNet(C34, True, True, widen=2, classes=1000)),
    ]:
        ours.load_state_dict(theirs.state_dict())
        x = torch.rand(2, 3, 97, 97, dtype=torch.float64)
        with torch.no_grad():
            apart = (ours.double().eval()(x) - theirs.double().eval()(x)).abs().max().item()
        assert apart < 1e-10, apart


def main():
    held_against_torchvision()
    stream = 20000
    for file, cases in CASES.items():
        fixture = []
        for name, make, channels, size, changes in cases:
            network, tensors = filled(make(), stream)
            right = result(network, stream, channels, size)
            expected = torch.tensor(right["logits"], dtype=torch.float64)
            print(name, f"{sum(p.numel() for p in network.parameters())} parameters")
            for change in changes:
                other, _ = filled(make(), stream)
                change(other)
                logits = torch.tensor(result(other, stream, channels, size)["logits"])
                apart = (logits - expected).abs().max().item()
                print(f"  {change.__name__}: {apart:.1e}")
                assert apart > 1e-6, f"the fixture does not show {change.__name__}"
            fixture.append({"name": name, "stream": stream, "tensors": tensors, **right})
            stream += 1000
        formula.write(os.path.join(HERE, f"{file}.json"), fixture)


if __name__ == "__main__":
    main()
