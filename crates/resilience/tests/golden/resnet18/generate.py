"""ResNet-18 for images of 32x32 pixels, with shortcut option B (He et al. 2015), in float64.

    python generate.py        (PyTorch 2.11; writes resnet18.json beside it)

Inputs and fixture: ../module_network.py, with first = 9000, images = 9200, mean 0.4914, 0.4822,
0.4465 and std 0.2023, 0.1994, 0.2010.

Architecture: conv 3x3 (3 -> 64), bn, ReLU; four stages of two blocks with 64, 128, 256, 512
channels, the first block of stages 2 to 4 with stride 2; mean over the 4x4 pixels; linear. A block:
relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)); conv1 has the stride, both 3x3, padding 1,
without bias. The shortcut is x itself, or, where the stage changes, a 1x1 convolution with the
stride and without bias (shortcut.0), then batch norm (shortcut.1).
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
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut = nn.Sequential()
        if stride == 2:
            self.shortcut.append(nn.Conv2d(before, after, 1, stride=2, bias=False))
            self.shortcut.append(nn.BatchNorm2d(after))

    def forward(self, x):
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class ResNet18(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Block(64, 64), Block(64, 64))
        self.layer2 = nn.Sequential(Block(64, 128), Block(128, 128))
        self.layer3 = nn.Sequential(Block(128, 256), Block(256, 256))
        self.layer4 = nn.Sequential(Block(256, 512), Block(512, 512))
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(F.avg_pool2d(x, 4).flatten(1))


def no_batch_norm_in_a_shortcut(network):
    network.layer2[0].shortcut[1] = nn.Identity()


def another_epsilon(network):
    network.layer4[0].shortcut[1].eps = 1e-3


OTHER_RULES = {
    "a shortcut without batch norm": no_batch_norm_in_a_shortcut,
    "another epsilon in a shortcut": another_epsilon,
    "the stride in the second convolution": stride_in_the_second_convolution,
    "a shortcut of the odd pixels": shortcut_of_the_odd_pixels,
    "a shortcut with ReLU": lambda network: network.layer3[0].shortcut.append(nn.ReLU()),
}


if __name__ == "__main__":
    case = Case(ResNet18, 9000, 9200, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    case.write(os.path.join(HERE, "resnet18.json"), OTHER_RULES.items())
