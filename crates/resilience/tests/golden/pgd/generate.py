"""PGD by torchattacks 3.5.1, in l1 by foolbox 3.3.4, in float64, iterate by iterate.

    pip install torch==2.11.0 numpy scipy tqdm requests
    pip install --no-deps torchattacks==3.5.1 torchvision==0.26.0 foolbox==3.3.4 eagerpy==0.30.0
    python generate.py --autoattack DIR        (DIR: clone of fra31/auto-attack at a392200)

writes linf.json, momentum.json, l2.json and l1.json beside it.

Network, images, labels: ../attack_network.py, side 8. The random start that the library draws is
replaced by numbers by formula, and is in the fixture too:

- linf: clamp(x + eps * signed(8300, i), 0, 1), i in [64,3,8,8], the rows of the run;
- l2: clamp(x + eps * unit(8302, r) * t / size(t), 0, 1) for pool image r, t = signed(8301, i) of
  shape [64,3,8,8], row r, size its Euclidean norm;
- l1: clamp(x + eps * unit(8304, r) * t / size(t), 0, 1) for pool image r, t = signed(8303, i) of shape
  [64,3,8,8], row r, size the sum of its sizes.

In l1 the steps are those of foolbox's SparseL1DescentAttack (the entries of the gradient above the
quantile 1 - `sparsity` of their sizes, without those that lead out of the box). It then projects onto
the ball and clips to the box, which is not the nearest point of both; here the projection is
L1_projection of fra31/auto-attack instead, which is.

The run `momentum` is torchattacks' MIFGSM, which begins at the clean images.

Fixture: `norm`, `eps`, `step_size`, `steps`, in l1 `sparsity`, of `momentum` `decay`; `rows`, `labels` [n]; `start` [n*3*8*8]; of the start
and the iterates after each step, in order, steps + 1 in all: `iterates` (digests of [n,3,8,8]);
`last` [n*3*8*8], which is what the library returns; `after` [n], the predictions for it. `noise`:
by how much an iterate moved when inputs, logits and gradients were off by 1e-15, relative.

The library divides the L2 gradient of the mean loss by its norm + 1e-10. `without_constant`: by how
much the iterates move when that constant is 0; `of_the_sum`: when the gradient is that of the sum. `clipped` (l1): when foolbox projects itself.
"""

import functools
import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

import eagerpy  # noqa: E402
import foolbox  # noqa: E402
import torchattacks  # noqa: E402

RUNS = {
    "linf": dict(norm="Linf", eps=0.1, step_size=0.02, steps=20, rows=[0, 1, 2, 3]),
    "momentum": dict(norm="Linf", eps=0.1, step_size=0.02, steps=20, rows=[0, 1, 2, 3], decay=1.0),
    "l2": dict(norm="L2", eps=1.0, step_size=0.2, steps=20, rows=[4, 5, 6, 8]),
    "l1": dict(norm="L1", eps=4.0, step_size=0.8, steps=20, rows=[4, 5, 6, 8], sparsity=0.05),
}


def attack_lp(run, noise=0.0, constant=1e-10, total=False):
    model = shared.Recorder(8, noise)
    # Times n, the gradient of the mean loss is that of the sum.
    constant = constant / len(run["rows"]) if total else constant
    x = shared.pool(8, run["rows"])
    y = model.net(x).argmax(1)
    shape = (shared.POOL, *x.shape[1:])
    settings = dict(eps=run["eps"], alpha=run["step_size"], steps=run["steps"])
    if "decay" in run:
        method, draws = torchattacks.MIFGSM(model, **settings, decay=run["decay"]), []
    elif run["norm"] == "Linf":
        method = torchattacks.PGD(model, **settings)
        draws = [("uniform_", formula.signed(8300, shape)[run["rows"]] * run["eps"])]
    else:
        method = torchattacks.PGDL2(model, **settings, eps_for_division=constant)
        radius = formula.unit(8302, (shared.POOL,))[run["rows"]]
        draws = [
            ("normal_", formula.signed(8301, shape)[run["rows"]]),
            ("uniform_", shared.per_image(radius)),
        ]
    kept = {name: getattr(torch.Tensor, name) for name, _ in draws}
    try:
        for name, values in draws:
            setattr(torch.Tensor, name, lambda self, *_, values=values: self.copy_(values))
        last = method(x, y)
    finally:
        for name, function in kept.items():
            setattr(torch.Tensor, name, function)
    assert last.dtype == torch.float64
    return x, y, [*model.inputs, last], model.net(last).argmax(1)


def attack_l1(path, run, noise=0.0, clipped=False):
    """The run by foolbox; `clipped` with its own projection."""
    model = shared.Recorder(8, noise)
    x = shared.pool(8, run["rows"])
    y = model.net(x).argmax(1)
    t = formula.signed(8303, (shared.POOL, *x.shape[1:]))[run["rows"]]
    radius = run["eps"] * formula.unit(8304, (shared.POOL,))[run["rows"]]
    start = x + shared.per_image(radius / t.abs().sum((1, 2, 3))) * t
    projection = shared.altered(path, "autopgd_base").L1_projection

    class Steps(foolbox.attacks.SparseL1DescentAttack):
        def get_random_start(self, *_):
            return eagerpy.astensor(start)

        def project(self, x, x0, epsilon):
            if clipped:
                return super().project(x, x0, epsilon)
            change = x.raw - x0.raw
            return x0 + eagerpy.astensor(change + projection(x0.raw, change, epsilon))

    method = Steps(
        quantile=1 - run["sparsity"],
        abs_stepsize=run["step_size"],
        steps=run["steps"],
        random_start=True,
    )
    wrapped = foolbox.PyTorchModel(model.eval(), bounds=(0, 1))
    last = method.run(wrapped, x, foolbox.criteria.Misclassification(y), epsilon=run["eps"])
    assert last.dtype == torch.float64
    return x, y, [*model.inputs[-run["steps"] :], last], model.net(last).argmax(1)


def main():
    path = shared.folder()
    for name, run in RUNS.items():
        attack = functools.partial(attack_l1, path) if name == "l1" else attack_lp
        x, y, iterates, after = attack(run)
        assert len(iterates) == run["steps"] + 1

        def moved(run=run, attack=attack, iterates=iterates, **changes):
            return shared.apart(iterates, attack(run, **changes)[2])

        found = {
            "norm": "linf" if name == "momentum" else name,
            "eps": run["eps"],
            "step_size": run["step_size"],
            "steps": run["steps"],
            "rows": run["rows"],
            "labels": y.tolist(),
            "noise": moved(noise=1e-15),
        }
        if name == "momentum":
            found["decay"] = run["decay"]
        if name == "l2":
            found["without_constant"] = moved(constant=0.0)
            found["of_the_sum"] = moved(total=True)
        if name == "l1":
            found["sparsity"] = run["sparsity"]
            found["clipped"] = moved(clipped=True)
        print(found, after.tolist())
        assert found["noise"] < 1e-11
        for knob in ("eps", "step_size", *{"sparsity", "decay"}.intersection(run)):
            # So much of 191 that one number more is kept.
            times = 1.2 if knob == "sparsity" else 1.05
            by = moved(run={**run, knob: times * run[knob]})
            print(f"{name}: {knob} {times} times as large {by:.0e}")
            assert by > 1e-3
        found["start"] = shared.flat(iterates[0])
        found["iterates"] = shared.digests(iterates)
        found["last"] = shared.flat(iterates[-1])
        found["after"] = after.tolist()
        formula.write(os.path.join(HERE, name + ".json"), found)


if __name__ == "__main__":
    main()
