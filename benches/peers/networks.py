"""The networks of the comparisons in PyTorch, with the state dict names of `resilience`."""

import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    """Two 3x3 convolutions and a way around them; the first halves the image where it widens.

    `norm` puts batch norm behind every convolution. `projected` says what goes around where the
    block widens: a 1x1 convolution of every second pixel (option B), or every second pixel with
    zero channels on both sides (option A).
    """

    def __init__(self, width_in, width, stride, norm=True, projected=False):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=not norm)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=not norm)
        self.bn1 = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.bn2 = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.pad = 0
        self.shortcut = nn.Sequential()
        if projected and width != width_in:
            self.shortcut.append(nn.Conv2d(width_in, width, 1, stride=stride, bias=not norm))
            if norm:
                self.shortcut.append(nn.BatchNorm2d(width))
        elif width != width_in:
            self.pad = (width - width_in) // 2

    def forward(self, x):
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.pad:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(out + self.shortcut(x))


class Normalised(nn.Module):
    """A network that takes pixels in [0, 1] and normalises them itself."""

    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), False)

    def forward(self, x):
        return self.logits((x - self.mean) / self.std)


class ResNet(Normalised):
    """A ResNet for images of 32x32 pixels, without pooling at its beginning."""

    def __init__(self, widths, blocks, projected):
        super().__init__([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        width = widths[0]
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.stages = len(widths)
        for i, out in enumerate(widths, start=1):
            stage = nn.Sequential()
            for _ in range(blocks):
                stage.append(Block(width, out, 1 if out == width else 2, projected=projected))
                width = out
            setattr(self, f"layer{i}", stage)
        self.linear = nn.Linear(width, 10)

    def logits(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for i in range(1, self.stages + 1):
            x = getattr(self, f"layer{i}")(x)
        return self.linear(x.mean(dim=(2, 3)))


class ResNet2B(Normalised):
    """The ResNet-2B of alpha-beta-CROWN: biases in place of batch norm, two blocks."""

    def __init__(self):
        super().__init__([0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616])
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            Block(8, 16, 2, norm=False, projected=True), Block(16, 16, 1, norm=False)
        )
        self.linear1 = nn.Linear(16 * 8 * 8, 100)
        self.linear2 = nn.Linear(100, 10)

    def logits(self, x):
        x = self.layer1(F.relu(self.conv1(x)))
        return self.linear2(F.relu(self.linear1(x.flatten(1))))


NETWORKS = {
    "resnet18": lambda: ResNet([64, 128, 256, 512], 2, projected=True),
    "resnet32": lambda: ResNet([16, 32, 64], 5, projected=False),
    "resnet2b": ResNet2B,
}


def load(path):
    """The ResNet-32 or ResNet-2B of a checkpoint, ready to be evaluated."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    state = {name.removeprefix("module."): value for name, value in state.items()}
    model = NETWORKS["resnet2b" if "linear2.weight" in state else "resnet32"]()
    model.load_state_dict(state)
    return model.eval()
