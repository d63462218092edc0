"""FGSM by two libraries: torchattacks 3.5.1 (true labels) and ART 1.20.1 (its own predictions).

    pip install torch==2.11.0 scipy scikit-learn tqdm six requests packaging
    pip install --no-deps torchattacks==3.5.1 adversarial-robustness-toolbox==1.20.1 torchvision==0.26.0
    python generate.py        (writes fgsm.json beside it)

Inputs, with the formulas of ../formula.py:

- Network: conv 3x3 padding 1 (3 -> 4), ReLU, flatten in (channel, row, column) order, fully
  connected (256 -> 10). Parameters: conv.weight [4,3,3,3] = signed(4000, i) / 2,
  conv.bias [4] = signed(4001, i) / 8, fc.weight [10,256] = signed(4002, i) / 4,
  fc.bias [10] = signed(4003, i) / 8; then fc.weight is set to 0 wherever its input, number
  f = channel * 64 + row * 8 + column, has column >= 6. All of them are exact in float64, and are
  rounded to nearest for float32.
- Images [6,3,8,8] = byte(4004, i) / 255. Labels [6]: the network's own prediction p for images 0,
  2 and 4, (p + 1) % 10 for the others.
- eps = 0.1, box [0, 1], mean cross-entropy over the six images (FGSM does not see the mean).

The zeros make the gradient exactly 0 in the last column of every image, where sign(0) = 0 has to
leave the pixels as they are. For the images that are "misclassified", the two conventions of labels
give different examples.

Fixture:

- `logits`: of the clean images, float64; `labels`; `predicted`: their argmax.
- `torchattacks`: float64 throughout (it casts nothing). `true`: labels given. `predicted`: the
  clean predictions given as labels. Of each the `images` [6*3*8*8] and the predictions `after`.
- `art`: ART casts to float32, network and images included, so compare with a tolerance of 1e-6.
  `predicted`: no labels given. `true`: labels given. The same fields.
- `smallest_gradient`: of all elements that are not exactly 0, the smallest |g| over the largest of
  its image, so that no sign hangs on rounding.
"""

import os
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

warnings.filterwarnings("ignore")
import torchattacks  # noqa: E402
from art.attacks.evasion import FastGradientMethod  # noqa: E402
from art.estimators.classification import PyTorchClassifier  # noqa: E402

EPS, N, SIDE = 0.1, 6, 8


def network(dtype):
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * SIDE * SIDE, 10)
    ).double()
    with torch.no_grad():
        net[0].weight.copy_(formula.signed(4000, (4, 3, 3, 3)) / 2)
        net[0].bias.copy_(formula.signed(4001, (4,)) / 8)
        fc = formula.signed(4002, (10, 4, SIDE, SIDE)) / 4
        fc[..., 6:] = 0
        net[3].weight.copy_(fc.reshape(10, -1))
        net[3].bias.copy_(formula.signed(4003, (10,)) / 8)
    return net.to(dtype).eval()


def outcome(net, images):
    with torch.no_grad():
        after = net(images).argmax(1)
    return {"images": images.double().reshape(-1).tolist(), "after": after.tolist()}


def main():
    net = network(torch.float64)
    x = formula.byte(4004, (N, 3, SIDE, SIDE)).double() / 255
    with torch.no_grad():
        logits = net(x)
    predicted = logits.argmax(1)
    y = (predicted + torch.arange(N) % 2) % 10

    smallest = 1.0
    for target in (y, predicted):
        image = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(net(image), target, reduction="sum"), image)
        size = g.abs().flatten(1)
        assert (g[..., -1] == 0).all() and (g[..., :-1] != 0).all()
        relative = size / size.max(1, keepdim=True).values
        smallest = min(smallest, relative[size > 0].min().item())

    attack = torchattacks.FGSM(net, eps=EPS)
    by_torchattacks = {}
    for name, target in (("true", y), ("predicted", predicted)):
        images = attack(x, target)
        assert images.dtype == torch.float64
        by_torchattacks[name] = outcome(net, images)

    single = network(torch.float32)
    classifier = PyTorchClassifier(
        single, nn.CrossEntropyLoss(), (3, SIDE, SIDE), 10, clip_values=(0, 1), device_type="cpu"
    )
    method = FastGradientMethod(classifier, norm=np.inf, eps=EPS)
    x32 = x.float().numpy()
    by_art = {}
    for name, given in (("predicted", None), ("true", y.numpy())):
        images = torch.from_numpy(method.generate(x32, y=given))
        assert images.dtype == torch.float32
        by_art[name] = outcome(single, images)
        apart = np.abs(np.array(by_art[name]["images"]) - by_torchattacks[name]["images"]).max()
        print(f"{name}: ART and torchattacks {apart:.2e} apart; {by_art[name]['after']}")
        assert apart < 1e-6 and by_art[name]["after"] == by_torchattacks[name]["after"]
        # Nine digits are enough for every float32.
        by_art[name]["images"] = [float(f"{value:.9g}") for value in by_art[name]["images"]]

    print("labels", y.tolist(), "predicted", predicted.tolist(), "smallest", smallest)
    formula.write(
        os.path.join(HERE, "fgsm.json"),
        {
            "torchattacks_version": torchattacks.__version__,
            "logits": logits.tolist(),
            "labels": y.tolist(),
            "predicted": predicted.tolist(),
            "smallest_gradient": smallest,
            "torchattacks": by_torchattacks,
            "art": by_art,
        },
    )


if __name__ == "__main__":
    main()
