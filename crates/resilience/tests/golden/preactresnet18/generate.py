"""PreActResNet-18 for images of 32x32 pixels (He et al. 2016), in float64.

    python generate.py        (PyTorch 2.11; writes preactresnet18.json beside it)

Inputs and fixture: ../module_network.py, with first = 9300, images = 9500, mean 0.4914, 0.4822,
0.4465 and std 0.2471, 0.2435, 0.2616.

Architecture, as github.com/locuslab/robust_overfitting has it: conv 3x3 (3 -> 64); four stages of
two blocks with 64, 128, 256, 512 channels, the first block of stages 2 to 4 with stride 2; bn, ReLU;
mean over the 4x4 pixels; linear. A block: a = relu(bn1(x)), then conv2(relu(bn2(conv1(a)))) +
shortcut; conv1 has the stride, both 3x3, padding 1, without bias. The shortcut is x, or, where the
stage changes, a 1x1 convolution of a with the stride and without bias (shortcut.0).
"""

import os
import sys

import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from module_network import (  # noqa: E402
    Case,
    shortcut_of_the_odd_pixels,
    stride_in_the_second_convolution,
)


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


def projection_of_what_is_not_activated(network):
    network.layer2[0].around = lambda x, _: network.layer2[0].shortcut(x)


def identity_of_what_is_activated(network):
    network.layer1[1].around = lambda _, active: active


def batch_norm_in_a_shortcut(network):
    network.layer3[0].shortcut.append(nn.BatchNorm2d(256).double().eval())


def no_batch_norm_at_the_end(network):
    network.bn = nn.Identity()


def another_epsilon(network):
    network.layer4[0].bn1.eps = 1e-3


def relu_behind_the_first_convolution(network):
    network.conv1.register_forward_hook(lambda _, x, y: F.relu(y))


OTHER_RULES = {
    "a projection of what is not activated": projection_of_what_is_not_activated,
    "an identity of what is activated": identity_of_what_is_activated,
    "a shortcut with batch norm": batch_norm_in_a_shortcut,
    "no batch norm at the end": no_batch_norm_at_the_end,
    "another epsilon in a batch norm behind a sum": another_epsilon,
    "the stride in the second convolution": stride_in_the_second_convolution,
    "a shortcut of the odd pixels": shortcut_of_the_odd_pixels,
    "ReLU behind a sum": lambda network: network.layer3.append(nn.ReLU()),
    "ReLU behind the first convolution": relu_behind_the_first_convolution,
}


if __name__ == "__main__":
    case = Case(PreActResNet18, 9300, 9500, (0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
    case.write(os.path.join(HERE, "preactresnet18.json"), OTHER_RULES.items())
