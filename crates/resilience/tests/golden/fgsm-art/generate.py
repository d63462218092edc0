"""ART 1.20.1's FastGradientMethod in all it does, in float64.

    pip install torch==2.11.0 scipy scikit-learn tqdm six requests packaging
    pip install --no-deps adversarial-robustness-toolbox==1.20.1
    python generate.py        (writes fgsm-art.json beside it)

Network, images, labels: ../attack_network.py, side 8. ART casts images to float32; the one constant that
says so is replaced here. Targets: the class with the second highest logit of the clean image.

The random start that ART draws is replaced by numbers by formula:
clamp(x + eps * radius * t / size(t), 0, 1) for pool image r, with t = signed(8501, i) of shape
[64,3,8,8], row r, and: linf radius and size 1; else radius = unit(8502, r) and size the Euclidean norm
(l2) or the sum of |t| (l1).

Fixture: `norms`, of each `norm`, `eps`, `radii` (ART's eps_step is eps over it), `rows`, `labels` and
`targets` [n], `start` [n*3*8*8], and `cases`: of each `targeted`, `random` (begins at `start`), `minimal`,
the `images` [n*3*8*8] that ART returns and what the network says `after` [n]. `shortened`: by how much the
random starts' images are farther than eps before ART projects them. In the minimal cases some images
are broken before the last part of eps is tried and some not at all; rows are chosen so.
"""

import os
import sys
import warnings

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

warnings.filterwarnings("ignore")
from art.attacks.evasion import fast_gradient  # noqa: E402
from art.estimators.classification import PyTorchClassifier  # noqa: E402

fast_gradient.ART_NUMPY_DTYPE = np.float64

RUNS = [
    dict(norm="linf", eps=0.03125, radii=8, rows=[1, 2, 3, 14, 27, 63]),
    dict(norm="l2", eps=0.25, radii=8, rows=[1, 2, 3, 18, 27, 63]),
    dict(norm="l1", eps=0.75, radii=8, rows=[0, 1, 2, 4, 20, 23]),
]
ORDER = {"linf": np.inf, "l2": 2, "l1": 1}


def draw(run):
    t = formula.signed(8501, (shared.POOL, 3, 8, 8))[run["rows"]]
    if run["norm"] == "linf":
        return run["eps"] * t
    radius = formula.unit(8502, (shared.POOL,))[run["rows"]]
    size = t.flatten(1).norm(ORDER[run["norm"]], dim=1)
    return shared.per_image(run["eps"] * radius / size) * t


def attack(run, y, targeted, random, minimal, projecting=True):
    classifier = PyTorchClassifier(
        shared.network(8), nn.CrossEntropyLoss(), (3, 8, 8), 10, clip_values=(0, 1), device_type="cpu"
    )
    method = fast_gradient.FastGradientMethod(
        classifier,
        norm=ORDER[run["norm"]],
        eps=run["eps"],
        eps_step=run["eps"] / run["radii"],
        targeted=targeted,
        num_random_init=int(random),
        minimal=minimal,
    )
    method._project = projecting
    fast_gradient.random_sphere = lambda n, m, *_: draw(run).reshape(n, m).numpy()
    x = shared.pool(8, run["rows"])
    found = torch.from_numpy(method.generate(x.numpy(), y=y.numpy()))
    assert found.dtype == torch.float64 and ((found - x).abs() > 0).any()
    return found


def main():
    fixtures = []
    for run in RUNS:
        net, x = shared.network(8), shared.pool(8, run["rows"])
        logits = net(x)
        order = logits.argsort(1, descending=True)
        labels, targets = order[:, 0], order[:, 1]
        cases = []
        for targeted in (False, True):
            for random, minimal in ((False, False), (True, False), (False, True)):
                y = targets if targeted else labels
                images = attack(run, y, targeted, random, minimal)
                after = net(images).argmax(1)
                broken = (after == targets) if targeted else (after != labels)
                length = (images - x).flatten(1).norm(ORDER[run["norm"]], dim=1)
                print(run["norm"], targeted, random, minimal, broken.int().tolist(), length.tolist())
                assert length.max() <= run["eps"] * (1 + 1e-12)
                if minimal:
                    assert 0 < broken.sum() < len(broken), "all or none"
                    assert length[broken].max() - length[broken].min() > 0.01 * run["eps"]
                cases.append(
                    {
                        "targeted": targeted,
                        "random": random,
                        "minimal": minimal,
                        "images": shared.flat(images),
                        "after": after.tolist(),
                    }
                )
        free = attack(run, labels, False, True, False, projecting=False)
        shortened = (free - x).flatten(1).norm(ORDER[run["norm"]], dim=1).max() - run["eps"]
        assert shortened > 0.01
        fixtures.append(
            {
                **run,
                "labels": labels.tolist(),
                "targets": targets.tolist(),
                "start": shared.flat((x + draw(run)).clamp(0, 1)),
                "shortened": shortened.item(),
                "cases": cases,
            }
        )
    formula.write(os.path.join(HERE, "fgsm-art.json"), {"norms": fixtures})


if __name__ == "__main__":
    main()
