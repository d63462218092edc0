"""Runs of DeepFool by foolbox, in float64.

    pip install torch==2.11.0 numpy foolbox==3.3.4
    python generate.py

writes linf.json and l2.json beside it.

Network, images, labels: ../attack_network.py, side 8. A run begins at the clean images.

Fixtures: `norm`, `rows`, `labels` [n] and `runs`. Of each run: `candidates` (classes that are looked at,
the image's own included), `overshoot`, `steps`, the digests of [n,3,8,8] in `iterates` (where the
gradients are taken; the first is that of the clean images, the last that of the result), what the
network says of the last in `after` [n], and `last` [n*3*8*8]. `noise`: by how much an iterate moved when
inputs, logits and gradients were off by 1e-15, relative.

The generator then changes one constant or rule of the reference after the other and fails where no run
moves by more than 1e-5.
"""

import os
import sys

import foolbox
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

ROWS = [2, 3, 14, 27, 37, 63]
RUNS = [
    dict(candidates=10, overshoot=0.02, steps=6),
    dict(candidates=3, overshoot=0.0, steps=5),
]
ATTACKS = {"linf": "LinfDeepFoolAttack", "l2": "L2DeepFoolAttack"}

# Name: words of the reference to replace, settings of the attack.
CHANGES = {
    "overshoot .05": ([], {"overshoot": 0.05}),
    "fewer classes": ([], {"candidates": 2}),
    "distance without its constant": ([("distances + 1e-4", "distances + 0.0")], {}),
    "class of the smallest difference": (
        [("distances.argmin(axis=1)", "losses.abs().argmin(axis=1)")],
        {},
    ),
    "no sum of the ways": (
        [("x0 + (1.0 + self.overshoot) * p_total", "x0 + (1.0 + self.overshoot) * p_step")],
        {},
    ),
    "what is broken moves on": (
        [("atleast_kd(is_adv, x.ndim), x,", "atleast_kd(is_adv != is_adv, x.ndim), x,")],
        {},
    ),
}


def attack(name, run, noise=0.0, words=(), **settings):
    model = shared.Recorder(8, noise)
    x = shared.pool(8, ROWS)
    y = model.net(x).argmax(1)
    settings = {**run, **settings}
    method = getattr(shared.of_foolbox("deepfool", words), ATTACKS[name])(**settings)
    wrapped = foolbox.PyTorchModel(model.eval(), bounds=(0, 1))
    last = method.run(wrapped, x, foolbox.criteria.Misclassification(y))
    assert last.dtype == torch.float64
    # It asks for the clean logits, then once a class and step, and once more to see that all is done.
    asked = model.inputs[1:]
    each = settings["candidates"] - 1
    iterates = asked[::each]
    done = len(iterates) - 1 if len(asked) % each else len(iterates)
    iterates = iterates[:done] + [last] * (settings["steps"] + 1 - done)
    return x, y, iterates, model.net(last).argmax(1)


def main():
    for name in ATTACKS:
        found = {"norm": name, "rows": ROWS, "runs": []}
        seen = dict.fromkeys(CHANGES, 0.0)
        noise = 0.0
        for run in RUNS:
            x, y, iterates, after = attack(name, run)
            assert len(iterates) == run["steps"] + 1
            noise = max(noise, shared.apart(iterates, attack(name, run, noise=1e-15)[2]))
            for change, (words, settings) in CHANGES.items():
                moved = attack(name, run, words=words, **settings)[2]
                seen[change] = max(seen[change], shared.apart(iterates, moved))
            broken = (after != y).tolist()
            print(name, run, broken)
            found["labels"] = y.tolist()
            found["runs"].append({
                **run,
                "iterates": shared.digests(iterates),
                "after": after.tolist(),
                "last": shared.flat(iterates[-1]),
            })
        print(name, noise, seen)
        assert noise < 1e-11
        assert min(seen.values()) > 1e-5, seen
        found["noise"] = noise
        formula.write(os.path.join(HERE, name + ".json"), found)


if __name__ == "__main__":
    main()
