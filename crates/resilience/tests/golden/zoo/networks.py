"""The networks of this case, written from their papers and from the names in published state dicts.

Each is a module of PyTorch whose `state_dict` has the names of published checkpoints. Widths are
arguments, so that a case is small.
"""

import torch
import torch.nn.functional as F
from torch import nn


def conv3(before, after, stride=1, padding=1):
    return nn.Conv2d(before, after, 3, stride=stride, padding=padding, bias=False)


def conv1(before, after, stride=1):
    return nn.Conv2d(before, after, 1, stride=stride, bias=False)


def places(width, counts, expansion=1):
    """Stage, block, channels before, channels of the stage and stride of every block."""
    before = width
    for stage, count in enumerate(counts):
        after = width * 2**stage
        for block in range(count):
            yield stage, block, before, after, 2 if stage > 0 and block == 0 else 1
            before = after * expansion


class Residual(nn.Module):
    """ResNet's block: two 3x3 convolutions, or 1x1, 3x3 and 1x1 to four times the width."""

    def __init__(self, before, after, stride, bottleneck, around, widen=1):
        super().__init__()
        inner, out = after * widen, after * (4 if bottleneck else 1)
        if bottleneck:
            convs = [conv1(before, inner), conv3(inner, inner, stride), conv1(inner, out)]
        else:
            convs = [conv3(before, after, stride), conv3(after, after)]
        self.n = len(convs)
        for number, conv in enumerate(convs, 1):
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", nn.BatchNorm2d(conv.out_channels))
        self.around = around
        if stride != 1 or before != out:
            shortcut = nn.Sequential(conv1(before, out, stride), nn.BatchNorm2d(out))
            self.add_module(around, shortcut)

    def forward(self, x):
        y = x
        for number in range(1, self.n + 1):
            y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
            y = F.relu(y) if number < self.n else y
        return F.relu(y + (getattr(self, self.around)(x) if hasattr(self, self.around) else x))


class ResNet(nn.Module):
    """For CIFAR, or with torchvision's names for ImageNet."""

    def __init__(self, counts, bottleneck, imagenet, width=64, widen=1, classes=10, channels=3):
        super().__init__()
        around = "downsample" if imagenet else "shortcut"
        self.imagenet = imagenet
        stem = nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False)
        self.conv1 = stem if imagenet else conv3(channels, width)
        self.bn1 = nn.BatchNorm2d(width)
        stages = [[] for _ in counts]
        for stage, _, before, after, stride in places(width, counts, 4 if bottleneck else 1):
            stages[stage].append(Residual(before, after, stride, bottleneck, around, widen))
        for stage, blocks in enumerate(stages, 1):
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        last = nn.Linear(width * 8 * (4 if bottleneck else 1), classes)
        self.add_module("fc" if imagenet else "linear", last)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.imagenet:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))
        return self.fc(x) if self.imagenet else self.linear(x)


class PreAct(nn.Module):
    """A block with pre-activation. `names`: of its five parts; `three`: a shortcut of 3x3; `plain`: a
    shortcut of what is not activated; `same`: TensorFlow's margin where the image is halved."""

    def __init__(self, before, after, stride, act, names, three=False, plain=False, same=False):
        super().__init__()
        self.act, self.names, self.plain, self.three = act, names, plain, three
        self.before_halving = (0, 1, 0, 1) if same and stride == 2 else None
        padding = 0 if self.before_halving else 1
        parts = [
            nn.BatchNorm2d(before),
            conv3(before, after, stride, padding),
            nn.BatchNorm2d(after),
            conv3(after, after),
        ]
        for name, part in zip(names, parts):
            self.add_module(name, part)
        self.projects = stride != 1 or before != after
        if self.projects:
            shortcut = conv3(before, after, stride, padding) if three else conv1(before, after, stride)
            if "." in names[4]:
                self.shortcut = nn.Sequential(shortcut)
            else:
                self.add_module(names[4], shortcut)

    def margin(self, x):
        return F.pad(x, self.before_halving) if self.before_halving else x

    def forward(self, x):
        bn1, conv_1, bn2, conv_2 = (getattr(self, name) for name in self.names[:4])
        active = self.act(bn1(x))
        around = x
        if self.projects:
            around = x if self.plain else active
            around = self.margin(around) if self.three else around
            around = getattr(self, self.names[4].split(".")[0])(around)
        return conv_2(self.act(bn2(conv_1(self.margin(active))))) + around


class PreActResNet(nn.Module):
    def __init__(self, counts, width=64, last_norm=True, plain=False, classes=10, channels=3):
        super().__init__()
        names = ["bn1", "conv1", "bn2", "conv2", "shortcut.0"]
        self.conv1 = conv3(channels, width)
        stages = [[] for _ in counts]
        for stage, _, before, after, stride in places(width, counts):
            stages[stage].append(PreAct(before, after, stride, F.relu, names, plain=plain))
        for stage, blocks in enumerate(stages, 1):
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.bn = nn.BatchNorm2d(width * 8) if last_norm else None
        self.linear = nn.Linear(width * 8, classes)

    def forward(self, x):
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.conv1(x)))))
        x = F.relu(self.bn(x)) if self.bn is not None else x
        return self.linear(x.mean((2, 3)))


class Stage(nn.Module):
    """Blocks under one more name."""

    def __init__(self, name, blocks):
        super().__init__()
        self.name = name
        self.add_module(name, nn.Sequential(*blocks))

    def forward(self, x):
        return getattr(self, self.name)(x)


def wide_stages(name, depth, widen, act, **form):
    """The three stages of a WideResNet, from 16 channels."""
    stages, before = [], 16
    for stage, after in enumerate((16 * widen, 32 * widen, 64 * widen)):
        blocks = []
        for block in range((depth - 4) // 6):
            stride = 2 if stage > 0 and block == 0 else 1
            blocks.append(PreAct(before, after, stride, act, **form))
            before = after
        stages.append(Stage(name, blocks))
    return stages


class WideResNet(nn.Module):
    def __init__(self, depth, widen, act=F.relu, classes=10, channels=3):
        super().__init__()
        names = ["bn1", "conv1", "bn2", "conv2", "convShortcut"]
        self.act = act
        self.conv1 = conv3(channels, 16)
        stages = wide_stages("layer", depth, widen, act, names=names)
        self.block1, self.block2, self.block3 = stages
        self.bn1 = nn.BatchNorm2d(64 * widen)
        self.fc = nn.Linear(64 * widen, classes)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        return self.fc(self.act(self.bn1(x)).mean((2, 3)))


class Normalised(nn.Module):
    """Has a mean and a standard deviation of its own, or leaves pixels as they are."""

    def buffers_of(self, own, channels):
        if own:
            self.register_buffer("mean", torch.zeros(channels, 1, 1))
            self.register_buffer("std", torch.ones(channels, 1, 1))
        self.own = own

    def normalised(self, x):
        return (x - self.mean) / self.std if self.own else x


class DMWideResNet(Normalised):
    def __init__(self, depth, widen, act=F.silu, own=True, classes=10, channels=3):
        super().__init__()
        self.buffers_of(own, channels)
        names = ["batchnorm_0", "conv_0", "batchnorm_1", "conv_1", "shortcut"]
        self.act = act
        self.init_conv = conv3(channels, 16)
        stages = wide_stages("block", depth, widen, act, names=names, same=True)
        self.layer = nn.Sequential(*stages)
        self.batchnorm = nn.BatchNorm2d(64 * widen)
        self.logits = nn.Linear(64 * widen, classes)

    def forward(self, x):
        x = self.layer(self.init_conv(self.normalised(x)))
        return self.logits(self.act(self.batchnorm(x)).mean((2, 3)))


class DMPreActResNet(Normalised):
    def __init__(self, counts, width=64, act=F.silu, own=True, classes=10, channels=3):
        super().__init__()
        self.buffers_of(own, channels)
        names = ["batchnorm_0", "conv_2d_1", "batchnorm_1", "conv_2d_2", "shortcut"]
        form = {"names": names, "three": True, "plain": True, "same": True}
        self.act = act
        self.conv_2d = conv3(channels, width)
        stages = [[] for _ in counts]
        for stage, _, before, after, stride in places(width, counts):
            stages[stage].append(PreAct(before, after, stride, act, **form))
        for stage, blocks in enumerate(stages):
            self.add_module(f"layer_{stage}", nn.Sequential(*blocks))
        self.batchnorm = nn.BatchNorm2d(width * 8)
        self.logits = nn.Linear(width * 8, classes)

    def forward(self, x):
        x = self.conv_2d(self.normalised(x))
        x = self.layer_3(self.layer_2(self.layer_1(self.layer_0(x))))
        return self.logits(self.act(self.batchnorm(x)).mean((2, 3)))


def row(convs, hidden, channels=3, size=32, classes=10, pad=None):
    """Convolutions (channels, window, stride, padding) with ReLU, then fully connected layers."""
    layers, before = [nn.ZeroPad2d(pad)] if pad else [], channels
    for after, window, stride, padding in convs:
        layers += [nn.Conv2d(before, after, window, stride=stride, padding=padding), nn.ReLU()]
        before = after
    layers.append(nn.Flatten())
    features = nn.Sequential(*layers)(torch.zeros(1, channels, size, size)).numel()
    for after in hidden:
        layers += [nn.Linear(features, after), nn.ReLU()]
        features = after
    return nn.Sequential(*layers, nn.Linear(features, classes))
