"""Carlini and Wagner's L2 attack by foolbox 3.3.4 and torchattacks 3.5.1, in float64, every iterate.

    pip install torch==2.11.0 numpy scipy tqdm requests
    pip install --no-deps foolbox==3.3.4 eagerpy==0.30.0 torchattacks==3.5.1 torchvision==0.26.0
    python generate.py        (writes foolbox.json and torchattacks.json beside it)

Network, images, labels: ../attack_network.py, side 8. Each image is attacked alone, because both
libraries stop where the loss of the whole batch no longer falls. Targets: the class whose logit has
that `rank` among those of the clean image, 1 being the label; without a rank the run is untargeted.
Constants are numbers of few bits, because foolbox rounds them to float32.

Fixture foolbox.json: `runs`. Of each run its settings `search_steps`, `steps`, `step_size`,
`confidence`, `initial_const`; `rows`, `labels` [n], `rank` and `targets` [n] (null for untargeted); for
each image in `images`: `projections`, for every iterate in order its product with signed(8100), as
many as foolbox asks the network about before it ends; `nearest` [3*8*8], the candidate that reached
what was asked for the closest, and `distance`, how far that is. `noise`: by how much an iterate moved
when inputs, logits and gradients were off by 1e-15, relative. foolbox leaves the candidate at which an
image stalls out of count; that makes no difference in these runs, which is checked.

Fixture torchattacks.json: one run of the same form, with one constant and `steps` iterates. The library
measures distances from the images themselves and begins at them, foolbox at images drawn back from
the border of the box by 1e-6: so here the library is given the latter. It lets logits below 0 count
as 0, and counts every misclassified candidate, whatever the confidence; the rows are such that no
logit that counts is below 0, and there is no `nearest`.

The generator then changes one constant or rule of foolbox after the other; every one of them moves a
run by more than 1e-5.
"""

import os
import sys
import types

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

import foolbox  # noqa: E402
import torchattacks  # noqa: E402

KNOBS = ("search_steps", "steps", "step_size", "confidence", "initial_const")
# Runs and the rows that they attack.
RUNS = [
    (
        dict(
            search_steps=6, steps=40, step_size=0.02, confidence=0.0, initial_const=2**-7, rank=None
        ),
        [2, 14, 27, 63],
    ),
    (
        dict(
            search_steps=10, steps=25, step_size=0.05, confidence=0.5, initial_const=0.25, rank=None
        ),
        [0, 14, 48, 56],
    ),
    (
        dict(search_steps=4, steps=40, step_size=0.05, confidence=0.25, initial_const=0.5, rank=3),
        [2, 14, 44, 56],
    ),
]
ONE = (
    dict(search_steps=1, steps=30, step_size=0.004, confidence=0.5, initial_const=1.0, rank=None),
    [2, 3, 37, 61],
)

# Name: words of foolbox to replace, settings.
CHANGES = {
    "step size": ([], {"step_size": 1.02}),
    "confidence": ([], {"confidence": 1.2}),
    "initial constant": ([], {"initial_const": 2.0}),
    "border": ([("0.999999", "0.99999")], {}),
    "progress": ([("0.9999 *", "0.98 *")], {}),
    "tenth of the steps": ([("self.steps / 10", "self.steps / 8")], {}),
    "no early end": ([("self.abort_early and", "False and")], {}),
    "growth": ([("consts * 10", "consts * 8")], {}),
    "halving": ([("+ upper_bounds) / 2", "+ upper_bounds) / 2.5")], {}),
    "no repetition": ([("steps >= 10", "steps >= 99")], {}),
}


def altered(words):
    """foolbox's attack with a few words of it replaced."""
    original = foolbox.attacks.carlini_wagner
    with open(original.__file__, encoding="utf-8") as source:
        text = source.read()
    for old, new in words:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in foolbox"
        text = text.replace(old, new)
    module = types.ModuleType(original.__name__)
    module.__package__ = original.__package__
    exec(compile(text, original.__file__, "exec"), module.__dict__)
    return module.L2CarliniWagnerAttack


def targets(x, rank):
    if rank is None:
        return None
    return shared.network(8)(x).argsort(1, descending=True)[:, rank - 1]


def reached(run, logits, label, target):
    """Whether the lead that is asked for is there, in the words of the paper."""
    wanted = logits.clone()
    at = label if target is None else target
    own = wanted[:, at].clone()
    wanted[:, at] = -torch.inf
    lead = wanted.amax(1) - own
    return (lead if target is None else -lead) >= run["confidence"]


def by_foolbox(run, row, noise=0.0, words=(), times=None):
    run = {**run, **{knob: by * run[knob] for knob, by in (times or {}).items()}}
    model = shared.Recorder(8, noise)
    x = shared.pool(8, [row])
    label, target = model.net(x).argmax(1), targets(x, run["rank"])
    method = altered(words)(
        binary_search_steps=run["search_steps"],
        steps=run["steps"],
        stepsize=run["step_size"],
        confidence=run["confidence"],
        initial_const=run["initial_const"],
    )
    criterion = foolbox.criteria.Misclassification(label)
    if target is not None:
        criterion = foolbox.criteria.TargetedMisclassification(target)
    best = method.run(foolbox.PyTorchModel(model.eval(), bounds=(0, 1)), x, criterion)
    assert best.dtype == torch.float64
    iterates, logits = torch.cat(model.inputs), torch.cat(model.outputs)
    hits = reached(run, logits, label.item(), None if target is None else target.item())
    away = (iterates - x).flatten(1).norm(dim=1)
    away[~hits] = torch.inf
    return iterates, away, best


def by_torchattacks(run, row, noise=0.0):
    model = shared.Recorder(8, noise)
    x = shared.pool(8, [row])
    label = model.net(x).argmax(1)
    drawn_back = (1 + torch.tanh(torch.atanh((2 * x - 1) * 0.999999))) / 2
    method = torchattacks.CW(
        model, c=run["initial_const"], kappa=run["confidence"], steps=run["steps"], lr=run["step_size"]
    )
    method(drawn_back, label)
    logits = torch.cat(model.outputs)
    other = logits.clone()
    other[:, label] = -torch.inf
    assert (other.amax(1) > 0).all() and (logits[:, label] > 0).all(), "a logit below 0 counts as 0"
    lead = (logits[:, label].squeeze() - other.amax(1)).clamp(min=-run["confidence"])
    away = (torch.cat(model.inputs) - drawn_back).square().flatten(1).sum(1)
    loss = (run["initial_const"] * (lead + run["confidence"]) + away)[:: -(-run["steps"] // 10)]
    assert (loss[1:] < 0.9999 * loss[:-1]).all(), "it stalls"
    assert len(model.inputs) == run["steps"], "it ended early"
    return torch.cat(model.inputs)


def projections(iterates):
    """With the digest's stream, as in formula.digest."""
    flat = iterates.detach().flatten(1)
    return (flat * formula.signed(shared.DIGEST, flat.shape[1:])).sum(1)


def fixture(run, rows):
    x = shared.pool(8, rows)
    aims = targets(x, run["rank"])
    return {
        **{knob: run[knob] for knob in KNOBS},
        "rows": rows,
        "labels": shared.network(8)(x).argmax(1).tolist(),
        "rank": run["rank"],
        "targets": None if aims is None else aims.tolist(),
    }


def main():
    runs, kept = [], []
    for run, rows in RUNS:
        images, noise, stalled = [], 0.0, 0
        for row in rows:
            iterates, away, best = by_foolbox(run, row)
            kept.append((run, row, iterates))
            again, _, _ = by_foolbox(run, row, noise=1e-15)
            noise = max(noise, shared.apart([iterates], [again]))
            nearest = iterates[away.argmin()]
            assert away.min() < torch.inf and nearest.equal(best[0]), "the stalled one is nearest"
            stalled += len(iterates) < run["search_steps"] * run["steps"]
            print(row, len(iterates), f"{away.min().item():.6f} at {away.argmin().item()}")
            images.append(
                {
                    "projections": projections(iterates).tolist(),
                    "nearest": shared.flat(nearest),
                    "distance": away.min().item(),
                }
            )
        print(f"{run}: noise {noise:.0e}, {stalled} ended early")
        assert noise < 1e-9
        runs.append({**fixture(run, rows), "noise": noise, "images": images})
    assert any(len(found["projections"]) < 200 for found in runs[0]["images"])
    formula.write(os.path.join(HERE, "foolbox.json"), {"runs": runs})

    (run, rows), images, noise = ONE, [], 0.0
    for row in rows:
        iterates = by_torchattacks(run, row)
        noise = max(noise, shared.apart([iterates], [by_torchattacks(run, row, 1e-15)]))
        images.append({"projections": projections(iterates).tolist()})
    print("torchattacks: noise", noise)
    assert noise < 1e-9
    one = {**fixture(run, rows), "noise": noise, "images": images}
    formula.write(os.path.join(HERE, "torchattacks.json"), {"runs": [one]})

    for change, (words, times) in CHANGES.items():
        moved = [
            shared.apart([before], [by_foolbox(run, row, words=words, times=times)[0]])
            for run, row, before in kept
        ]
        print(f"{change}:", ", ".join(f"{by:.0e}" for by in moved))
        assert max(moved) > 1e-5, change


if __name__ == "__main__":
    main()
