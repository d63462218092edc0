"""SPSA by torchattacks 3.5.1, in float64, iterate by iterate.

    pip install torch==2.11.0 numpy tqdm requests
    pip install --no-deps torchattacks==3.5.1 torchvision==0.26.0
    python generate.py

writes linf.json and l2.json beside it.

Network, images, labels: ../attack_network.py, side 8. The signs that the library draws, one tensor for
all images of a batch, are replaced by numbers by formula: direction k of step t is the sign of
signed(8500 + t, i), i in [samples,3,8,8], entry k, with 1 for 0.

The library knows linf alone. In l2 its clamp is replaced by the projection that its PGDL2 has (the change
divided by its length + 1e-10 where that exceeds eps, then the box), and the rate of Adam is `step_size`
over the root of 192.

Fixture: `norm`, `eps`, `steps`, `samples`, `delta`, `step_size` (in linf the rate of Adam), `rows`, `labels`
[n]; of each step `iterates`, the digest of [n,3,8,8]; `last` [n*3*8*8], which is what the library returns;
`after` [n], the predictions for it. `noise`: by how much an iterate moved when inputs and logits were off
by 1e-15, relative.

The generator then changes one constant or rule of the reference after the other and prints by how much the
run moves: every one of them by more than 1e-4.
"""

import inspect
import math
import os
import sys
import types

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

import torchattacks.attacks.spsa as reference  # noqa: E402

RUNS = {
    "linf": dict(eps=0.1, step_size=0.02, steps=12, samples=24, delta=0.01, rows=[0, 1, 2, 3]),
    "l2": dict(eps=1.0, step_size=0.3, steps=12, samples=24, delta=0.01, rows=[4, 5, 6, 8]),
}
CHANGES = {
    "one side alone": [("- f(x_ - delta * v_, y_)", "- f(x_, y_)")],
    "the gradient's sign alone": [("grad /= nb_sample", "grad = grad.sign()")],
    "beta 0.8": [("lr=self.lr)", "lr=self.lr, betas=(0.8, 0.999))")],
    "beta 0.99": [("lr=self.lr)", "lr=self.lr, betas=(0.9, 0.99))")],
    "SGD": [("torch.optim.Adam", "torch.optim.SGD")],
    "margin over the second label": [("top_logits[..., 1], top", "top_logits[..., 0], top")],
}


def altered(words):
    text = inspect.getsource(reference)
    for old, new in words:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the reference"
        text = text.replace(old, new)
    module = types.ModuleType("torchattacks.attacks.altered")
    module.__package__ = "torchattacks.attacks"
    exec(compile(text, reference.__file__, "exec"), module.__dict__)
    return module


def attack(norm, run, noise=0.0, words=()):
    model = shared.Recorder(8, noise)
    x = shared.pool(8, run["rows"])
    y = model.net(x).argmax(1)
    shape = (run["samples"], 1, *x.shape[1:])
    drawn, points = [], []

    class Steps(altered(words).SPSA):
        def spsa_grad(self, images, *others):
            points.append(images.clone())
            return super().spsa_grad(images, *others)

        def linf_clamp_(self, dx, x, eps):
            if norm == "linf":
                return super().linf_clamp_(dx, x, eps)
            length = dx.flatten(1).norm(dim=1) + 1e-10
            inside = x + dx * shared.per_image((eps / length).clamp(max=1))
            dx += inside.clamp(0, 1) - x - dx
            return dx

    def bernoulli(self):
        signs = formula.signed(8500 + len(drawn), shape) >= 0
        drawn.append(signs)
        return self.copy_(signs)

    rate = run["step_size"] / (1 if norm == "linf" else math.sqrt(x[0].numel()))
    method = Steps(
        model, eps=run["eps"], delta=run["delta"], lr=rate, nb_iter=run["steps"],
        nb_sample=run["samples"], max_batch_size=run["samples"],
    )
    kept = torch.Tensor.bernoulli_
    try:
        torch.Tensor.bernoulli_ = bernoulli
        last = method(x, y)
    finally:
        torch.Tensor.bernoulli_ = kept
    assert len(drawn) == run["steps"] and last.dtype == torch.float64
    return y, [*points[1:], last], model.net(last).argmax(1)


def main():
    for norm, run in RUNS.items():
        y, iterates, after = attack(norm, run)
        assert len(iterates) == run["steps"]

        def moved(run=run, norm=norm, iterates=iterates, **changes):
            return shared.apart(iterates, attack(norm, run, **changes)[1])

        found = {"norm": norm, **run, "labels": y.tolist(), "noise": moved(noise=1e-15)}
        print({key: value for key, value in found.items()}, after.tolist())
        assert found["noise"] < 1e-10
        for knob in ("eps", "step_size", "delta"):
            by = moved(run={**run, knob: 1.05 * run[knob]})
            print(f"{norm}: {knob} 1.05 times as large {by:.0e}")
            assert by > 1e-4
        for name, words in CHANGES.items():
            by = moved(words=words)
            print(f"{norm}: {name} {by:.0e}")
            assert by > 1e-4
        found["iterates"] = shared.digests(iterates)
        found["last"] = shared.flat(iterates[-1])
        found["after"] = after.tolist()
        formula.write(os.path.join(HERE, norm + ".json"), found)


if __name__ == "__main__":
    main()
