"""TorchScript files as PyTorch writes them: of a network of the zoo, and small ones with one peculiarity each.

    python generate.py        (PyTorch 2.11; writes <name>.pt and models.json beside it)

Parameters by PyTorch's own initialisation, seed 0; batch norm has statistics that do something. Images
[3,c,s,s] = unit(stream 9950, i) in float32, labels 1, 4, 6.

The network of the zoo is CIFAR wide for images of 8 pixels: `wide-trace` by torch.jit.trace, `wide-script` by
torch.jit.script, each without a normalisation; `wide-normalised` behind a layer with buffers `mean` and `std`,
scripted; `wide-frozen` by torch.jit.freeze. Of the others each is a convolution of 3 to 4 channels, ReLU, the
mean over the pixels and a linear layer to 10 classes, but for what its name says (see NETWORKS).

The files are without the names and lines of Python sources that torch.jit.save adds for messages
(*.debug_pkl), which would say on which machine they were made.

Fixture: for each file `name`, `shape` of its images, `logits` [3, k] of PyTorch on three images, computed image
by image where `one` is true, and `gradient`: the digest (sum, norm, product with signed(9951, i), first eight)
of the gradient of the mean cross-entropy with respect to the images, or null where PyTorch gives none. Files
that are no classifier, or answer at random, have only a name.
"""

import io
import os
import sys
import zipfile

import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

LABELS = torch.tensor([1, 4, 6])
CLASSES = 10


def wide():
    """CIFAR wide, of images of 8 pixels."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 2 * 2, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


class Normalise(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1))
        self.register_buffer("std", torch.tensor([0.2, 0.25, 0.3]).view(3, 1, 1))

    def forward(self, x):
        return (x - self.mean) / self.std


class Small(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, CLASSES)
        self.bn.running_mean.uniform_(-0.2, 0.2)
        self.bn.running_var.uniform_(0.5, 1.5)

    def features(self, x):
        return F.relu(self.bn(self.conv(x)))

    def head(self, h):
        return self.fc(h.mean((2, 3)))

    def forward(self, x):
        return self.head(self.features(x))


class Detached(Small):
    """The features are detached."""

    def forward(self, x):
        return self.head(self.features(x).detach())


class NoGrad(Small):
    """The features are computed without a graph; scripted, so that the module says it."""

    def forward(self, x):
        with torch.no_grad():
            h = self.features(x)
        return self.head(h)


class Argmax(Small):
    """Logits are one and zero."""

    def forward(self, x):
        z = self.head(self.features(x))
        return F.one_hot(z.argmax(1), z.shape[1]).float()


class Rounded(Small):
    """The pixels are rounded to sixteen values: there is a gradient, and it is zero."""

    def forward(self, x):
        return self.head(self.features(torch.round(x * 15) / 15))


class Branch(Small):
    """Another way for each brightness of the batch."""

    def forward(self, x):
        h = self.features(x)
        if bool(h.mean() > 0.5):
            h = h * 2
        return self.head(h)


class One(Small):
    """Made for one image: the features are laid out for it."""

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)).reshape(1, 4))


class InPlace(Small):
    """Works in the place of the images that it is given."""

    def forward(self, x):
        return self.head(self.features(x.sub_(0.5)))


class Noisy(Small):
    """Answers otherwise each time."""

    def forward(self, x):
        return self.head(self.features(x + 0.1 * torch.randn_like(x)))


class OneLogit(Small):
    """One number for each image of 32 pixels, and a map of them for a larger one."""

    def forward(self, x):
        return F.avg_pool2d(self.features(x)[:, :1], 32, stride=1).flatten(1)


class Probabilities(Small):
    """Gives probabilities, whose sum hangs on nothing."""

    def forward(self, x):
        return F.softmax(self.head(self.features(x)), 1)


class Column(Small):
    """Logits are an image of one pixel."""

    def forward(self, x):
        return self.head(self.features(x))[:, :, None, None]


class Pair(Small):
    """Features beside the logits."""

    def forward(self, x):
        h = self.features(x)
        return self.head(h), h


class Features(Small):
    """Features alone."""

    def forward(self, x):
        return self.features(x)


class Two(Small):
    """Asks for something beside the images."""

    def forward(self, x, scale):
        return self.head(self.features(x) * scale)


def trace(network, shape):
    return torch.jit.trace(network.eval(), torch.zeros(1, *shape), check_trace=False)


def in_training(network, shape):
    """Traced as it is while it is trained."""
    return torch.jit.trace(network.train(), torch.rand(1, *shape), check_trace=False)


def script(network, _):
    return torch.jit.script(network.eval())


def frozen(network, _):
    return torch.jit.freeze(torch.jit.script(network.eval()))


def optimised(network, _):
    return torch.jit.optimize_for_inference(torch.jit.script(network.eval()))


SMALL, WIDE, GREY = (3, 32, 32), (3, 8, 8), (1, 28, 28)
NETWORKS = [
    ("wide-trace", wide, trace, WIDE),
    ("wide-script", wide, script, WIDE),
    ("wide-normalised", lambda: nn.Sequential(Normalise(), wide()), script, WIDE),
    ("wide-frozen", wide, frozen, WIDE),
    ("small", Small, trace, SMALL),
    ("grey", lambda: Small(1), trace, GREY),
    ("detached", Detached, trace, SMALL),
    ("no-grad", NoGrad, script, SMALL),
    ("argmax", Argmax, trace, SMALL),
    ("rounded", Rounded, trace, SMALL),
    ("branch", Branch, script, SMALL),
    ("one", One, script, SMALL),
    ("in-training", Small, in_training, SMALL),
    ("column", Column, trace, SMALL),
    ("in-place", InPlace, script, SMALL),
    ("probabilities", Probabilities, trace, SMALL),
]
# Those that are no classifier, and one whose logits nobody can write down.
OTHERS = [
    ("noisy", Noisy, trace, SMALL),
    ("one-logit", OneLogit, trace, SMALL),
    ("pair", Pair, trace, SMALL),
    ("features", Features, trace, SMALL),
    ("two", Two, script, SMALL),
    ("half", lambda: Small().half(), script, SMALL),
    ("optimised", Small, optimised, SMALL),
]


def save(module, path):
    """The file without what only says where it was made."""
    written = io.BytesIO()
    torch.jit.save(module, written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                target.writestr(entry, source.read(entry))


def main():
    cases = []
    for name, make, export, shape in NETWORKS:
        path = os.path.join(HERE, f"{name}.pt")
        save(export(make(), shape), path)
        with torch.jit.optimized_execution(False):
            module = torch.jit.load(path)
            x = formula.unit(9950, (3, *shape)).float().requires_grad_()
            one = name in ("one", "in-training", "branch")
            given = x * 1
            z = torch.cat([module(given[i : i + 1]) for i in range(3)]) if one else module(given)
            z = z.flatten(1)
            gradient = None
            if z.requires_grad:
                loss = F.cross_entropy(z, LABELS)
                (found,) = torch.autograd.grad(loss, x, allow_unused=True)
                gradient = None if found is None else formula.digest(found, 9951)
        print(name, os.path.getsize(path), z[0, :3], gradient and gradient["norm"])
        cases.append(
            {"name": name, "shape": list(shape), "one": one, "logits": z.tolist(), "gradient": gradient}
        )
    for name, make, export, shape in OTHERS:
        path = os.path.join(HERE, f"{name}.pt")
        save(export(make(), shape), path)
        print(name, os.path.getsize(path))
        cases.append({"name": name})
    formula.write(os.path.join(HERE, "models.json"), cases)


if __name__ == "__main__":
    main()
