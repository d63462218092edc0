"""The network and the images that the cases of the attacks share, in float64.

With the formulas of formula.py, for images of `side` pixels:

- Network: conv 3x3 padding 1 (3 -> 4), ReLU, flatten in (channel, row, column) order, fully
  connected (4 * side * side -> 10). Parameters: conv.weight [4,3,3,3] = signed(4000, i) / 2,
  conv.bias [4] = signed(4001, i) / 8, fc.weight [10,4*side*side] = signed(4002, i) / 4,
  fc.bias [10] = BIAS[side] below, which makes all classes about as frequent among the images.
  Weights and conv.bias are those of the case `fgsm` without its zeros, for side 8.
- Images: a pool [64,3,side,side] = byte(8000 + side, i) / 255. A run attacks a few of them: the
  `rows` of its fixture, in that order.
- Labels: what the network predicts, so every image starts out correctly classified.
- Digests of images use stream 8100.
"""

import argparse
import importlib
import os
import sys
import types

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import formula  # noqa: E402

POOL, DIGEST = 64, 8100
BIAS = {
    8: [-1.62, 2.18, -0.53, 1.19, 3.19, 0.02, -0.71, -1.06, 1.48, -0.3],
    16: [-4.98, 3.09, 2.7, 1.82, -1.95, 1.69, -2.21, -1.59, 1.89, -4.79],
}

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)
# The references cast to single precision with this method.
torch.Tensor.float = torch.Tensor.double


def network(side):
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * side * side, 10)
    )
    with torch.no_grad():
        net[0].weight.copy_(formula.signed(4000, (4, 3, 3, 3)) / 2)
        net[0].bias.copy_(formula.signed(4001, (4,)) / 8)
        net[3].weight.copy_(formula.signed(4002, (10, 4 * side * side)) / 4)
        net[3].bias.copy_(torch.tensor(BIAS[side]))
    return net.eval().requires_grad_(False)


def pool(side, rows):
    return (formula.byte(8000 + side, (POOL, 3, side, side)).double() / 255)[rows]


def per_image(values):
    """One number an image, to multiply images with."""
    return values.view(-1, 1, 1, 1)


class Recorder(nn.Module):
    """The network, with copies of what it was given and what it answered.

    With `noise`, inputs, outputs and therefore gradients are off by that relative amount: a run
    that differs by much more then hangs on rounding, and is no golden case.
    """

    def __init__(self, side, noise=0.0):
        super().__init__()
        self.net, self.noise = network(side), noise
        self.random = np.random.default_rng(1)
        self.inputs, self.outputs = [], []

    def forward(self, images):
        self.inputs.append(images.detach().clone())
        logits = self.shaken(self.net(self.shaken(images)))
        self.outputs.append(logits.detach().clone())
        return logits

    def shaken(self, values):
        if self.noise == 0:
            return values
        normal = torch.from_numpy(self.random.standard_normal(values.shape))
        return values * (1 + self.noise * normal)


def folder():
    """The clone of the reference, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--autoattack", required=True, help="clone of fra31/auto-attack")
    path = parser.parse_args().autoattack
    sys.path.insert(0, path)
    return path


def altered(path, name, changes=()):
    """A module of the reference, with a few words of it replaced where `changes` says so.

    A constant that can be replaced without effect on a run is one that the run does not check.
    """
    file = os.path.join(path, "autoattack", name + ".py")
    with open(file, encoding="utf-8") as source:
        text = source.read()
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        text = text.replace(old, new)
    module = types.ModuleType(name)
    exec(compile(text, file, "exec"), module.__dict__)
    return module


def of_foolbox(name, changes=()):
    """An attack's module of foolbox, altered likewise."""
    original = importlib.import_module("foolbox.attacks." + name)
    with open(original.__file__, encoding="utf-8") as source:
        text = source.read()
    for old, new in changes:
        assert text.count(old) >= 1, f"{old!r} is not in {original.__file__}"
        text = text.replace(old, new, 1)
    module = types.ModuleType("foolbox.attacks." + name + "_altered")
    module.__package__ = "foolbox.attacks"
    exec(compile(text, original.__file__, "exec"), module.__dict__)
    return module


def digests(images):
    return [formula.digest(x, DIGEST) for x in images]


def flat(tensor):
    return tensor.detach().reshape(-1).tolist()


def apart(a, b):
    """The largest difference of two lists of tensors; infinite when they are of other shapes."""
    if len(a) != len(b) or any(x.shape != y.shape for x, y in zip(a, b)):
        return float("inf")
    return max((x - y).abs().max().item() for x, y in zip(a, b))
