"""Runs of FAB by its authors' implementation and its projections, in float64.

    pip install torch==2.11.0 numpy
    python generate.py --autoattack DIR        (DIR: clone of fra31/auto-attack at a392200)

writes linf.json, l2.json, l1.json and projections.json beside it.

Network, images, labels: ../attack_network.py, side 8. A run begins at the clean images; one begins
at a random start, whose draws are replaced: clamp(x + eps / 2 * t / size(t), 0, 1) for pool image
r, t = signed(8403, i) of shape [64,3,8,8], row r, size the largest |t| (linf), the Euclidean norm (l2)
or the sum of |t| (l1), with eps = 0.05 (linf), 0.5 (l2) or 5 (l1). Targets: the class whose logit has that `rank` among those
of the clean image, 1 being the label; without a rank the run is untargeted and takes, in each step,
the class that is closest.

Fixtures linf.json, l2.json and l1.json: `norm`, `alpha_max`, `eta`, `beta`, `rows`, `labels` [n] and `runs`.
Of each run: `rank` and `targets` [n] (null for untargeted), `steps`, `start` [n*3*8*8] (null for
the clean images), and for each step the digests of [n,3,8,8] in `iterates` (where the gradient is
taken; the first is that of the start) and in `candidates` (after the step, clamped, before the way
back by beta), and what the network says of the latter in `predictions` [n]; `adversarial`
[n*3*8*8], of the candidates that were adversarial the closest; `distances` [n] of these in the
run's norm. `noise`: by how much an iterate, candidate or result moved when inputs, logits and
gradients were off by 1e-15, relative.

Fixture projections.json: 13 cases in 16 dimensions. `points` [13,16] = unit(8400, i); `normals`
[13,16] = signed(8401, i), with zeros where signed(8402, i) < 0 in rows 6 to 8, with 1e-9 as
component 5 of row 9 (which the reference takes for 0 in l2 and l1, and not in linf), and all of row 12 is
0; the hyperplane of a row is <normal, z> = `offsets`[row]. `linf`, `l2` and `l1`: `steps` [13,16], which
lead to that point of the hyperplane in the box [0,1] which is closest by that norm, and `branches`
[13]: "free" when no coordinate meets the box on the way, "clipped" when some do, "out of reach"
when the hyperplane does not meet the box and the step leads to the corner nearest to it, "on it"
for a step of length 0. Where the normal is 0, coordinates stay.

The generator then changes one constant or rule of the reference after the other and prints by how
much each norm's runs move. Every one of them moves each norm by more than 1e-5.
"""

import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

# The rows are few that together move under every change below.
ROWS = {"Linf": [3, 14, 27, 37], "L2": [2, 14, 27, 63], "L1": [2, 14, 27, 63]}
EPS = {"Linf": 0.05, "L2": 0.5, "L1": 5.0}
RUNS = [
    dict(rank=2, steps=50, random=False),
    dict(rank=3, steps=30, random=False),
    dict(rank=None, steps=30, random=False),
    dict(rank=2, steps=30, random=True),
]
SETTINGS = dict(alpha_max=0.1, eta=1.05, beta=0.9)

# Name: words of the reference to replace, settings of the attack.
CHANGES = {
    "alpha_max .12": ([], {"alpha_max": 0.12}),
    "eta 1.04": ([], {"eta": 1.04}),
    "beta .88": ([], {"beta": 0.88}),
    "clean image without its projection": ([("d2 * self.eta) * alpha", "0 * d2) * alpha")], {}),
    "always alpha_max": ([("a1 / (a1 + a2)", "a1 / a1")], {}),
    "class of the smallest difference": ([("ind = dist1", "ind = df.abs()")], {}),
}


def attack(path, norm, rank, steps, random, noise=0.0, words=(), settings=None):
    sys.modules["autoattack.fab_base"] = shared.altered(path, "fab_base", words)
    module = shared.altered(path, "fab_pt")
    model = shared.Recorder(8, noise)
    x = shared.pool(8, ROWS[norm])
    logits = model.net(x)
    y = logits.argmax(1)
    settings = {**SETTINGS, **(settings or {})}
    method = module.FABAttack_PT(model, norm=norm, n_iter=steps, eps=EPS[norm], **settings)
    method.target_class = rank
    t = formula.signed(8403, (shared.POOL, *x.shape[1:]))[ROWS[norm]]
    kept = torch.rand, torch.randn
    torch.rand, torch.randn = lambda _: (t + 1) / 2, lambda _: t
    try:
        adversarial = method.attack_single_run(x, y, random, is_targeted=rank is not None)
    finally:
        torch.rand, torch.randn = kept
    # It asks for the clean labels, for the targets, then twice a step.
    skipped = 1 if rank is None else 2
    assert len(model.inputs) == skipped + 2 * steps
    assert all(images.equal(x) for images in model.inputs[:skipped])
    start = model.inputs[skipped]
    radius = EPS[norm] / 2 / distance(norm, t) if random else torch.zeros(len(x))
    assert (start - (x + shared.per_image(radius) * t).clamp(0, 1)).abs().max() < 1e-15
    return dict(
        images=x,
        labels=y,
        targets=None if rank is None else logits.argsort(1, descending=True)[:, rank - 1],
        iterates=model.inputs[skipped::2],
        candidates=model.inputs[skipped + 1 :: 2],
        predictions=[z.argmax(1) for z in model.outputs[skipped + 1 :: 2]],
        adversarial=adversarial,
        distances=distance(norm, adversarial - x),
    )


def distance(norm, step):
    order = {"Linf": torch.inf, "L2": 2, "L1": 1}[norm]
    return step.flatten(1).norm(order, dim=1)


def check(norm, found):
    """The result is the closest adversarial candidate, and not always the last."""
    x, later = found["images"], 0
    sizes = torch.stack([distance(norm, c - x) for c in found["candidates"]])
    wrong = torch.stack(found["predictions"]) != found["labels"]
    for row in range(len(x)):
        seen = wrong[:, row].nonzero().flatten()
        best = seen[sizes[seen, row].argmin()]
        assert found["adversarial"][row].equal(found["candidates"][best][row])
        later += best < seen[-1]
    return later


def everything(found):
    return [*found["iterates"], *found["candidates"], found["adversarial"]]


def projection_cases():
    shape = (13, 16)
    t, w = formula.unit(8400, shape), formula.signed(8401, shape)
    holes = formula.signed(8402, shape) < 0
    holes[:6] = holes[9:] = False
    holes[12] = True
    w[holes] = 0
    w[9, 5] = 1e-9
    at, low, high = (w * t).sum(1), w.clamp(max=0).sum(1), w.clamp(min=0).sum(1)
    up, down = high - at, low - at
    share = torch.tensor([0.3, 0.7, 0.95, 0.01, 0, 1.5, 0.5, 0.01, 1.2, 0.6, 1.1, 0.02, 0])
    upward = torch.tensor([1, 1, 1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0]).bool()
    offsets = at + share * torch.where(upward, up, down)
    offsets[12] = 0.5
    return t, w, offsets


def greedily(t, w, b):
    """The shortest step in l1: component after component, that of the largest weight first."""
    end, missing = t.clone(), b - (w * t).sum()
    for at in w.abs().argsort(descending=True):
        if w[at] != 0:
            end[at] = (t[at] + missing / w[at]).clamp(0, 1)
            missing = missing - w[at] * (end[at] - t[at])
    return end - t


def check_projection(norm, t, w, offsets, steps):
    """Against a bisection for the length of the step, in l1 against going through the components in
    order: neither knows anything of the reference."""
    branches = []
    w = torch.where(w.abs() > 1e-8, w, 0) if norm in ("L2", "L1") else w
    for t, w, b, d in zip(t, w, offsets, steps):
        side = torch.sign(b - (w * t).sum())
        direction = side * (w.sign() if norm == "Linf" else w)

        def end(length):
            return (t + length * direction).clamp(0, 1)

        short, long = 0.0, 1e6
        for _ in range(200):
            middle = (short + long) / 2
            reached = side * ((w * end(middle)).sum() - b) >= 0
            short, long = (short, middle) if reached else (middle, long)
        expected = greedily(t, w, b) if norm == "L1" else end(short) - t
        assert (expected - d).abs().max() < 1e-9, (norm, expected, d)
        missed = ((w * (t + d)).sum() - b).abs() > 1e-9
        met = (((t + d) * (1 - t - d)).abs() < 1e-12) & (w != 0)
        if missed:
            assert met[w.abs() > 1e-8].all()
            branches.append("out of reach")
        elif d.abs().max() < 1e-12:
            branches.append("on it")
        else:
            branches.append("clipped" if met.any() else "free")
    assert len(set(branches)) == 4, branches
    return branches


def projections(path):
    module = shared.altered(path, "fab_projections")
    t, w, offsets = projection_cases()
    found = {"points": t.tolist(), "normals": w.tolist(), "offsets": offsets.tolist()}
    for norm in ("Linf", "L2", "L1"):
        steps = getattr(module, "projection_" + norm.lower())(t, w, offsets)
        branches = check_projection(norm, t, w, offsets, steps)
        print(norm, branches)
        found[norm.lower()] = {"steps": steps.tolist(), "branches": branches}
    formula.write(os.path.join(HERE, "projections.json"), found)


def main():
    path = shared.folder()
    projections(path)
    for norm, rows in ROWS.items():
        runs, later, kept = [], 0, []
        for run in RUNS:
            found = attack(path, norm, **run)
            again = attack(path, norm, **run, noise=1e-15)
            noise = shared.apart(everything(found), everything(again))
            later += check(norm, found)
            kept.append(everything(found))
            print(f"{norm}, {run}: noise {noise:.0e}, {found['distances'].tolist()}")
            assert noise < 1e-11
            runs.append(
                {
                    "rank": run["rank"],
                    "targets": None if run["rank"] is None else found["targets"].tolist(),
                    "steps": run["steps"],
                    "start": shared.flat(found["iterates"][0]) if run["random"] else None,
                    "noise": noise,
                    "iterates": shared.digests(found["iterates"]),
                    "candidates": shared.digests(found["candidates"]),
                    "predictions": [row.tolist() for row in found["predictions"]],
                    "adversarial": shared.flat(found["adversarial"]),
                    "distances": found["distances"].tolist(),
                }
            )
        assert later > 0, "the last candidate is always the closest"
        fixture = {"norm": norm.lower(), **SETTINGS, "rows": rows}
        fixture |= {"labels": found["labels"].tolist(), "runs": runs}
        formula.write(os.path.join(HERE, norm.lower() + ".json"), fixture)
        for change, (words, settings) in CHANGES.items():
            moved = [
                shared.apart(
                    kept[at], everything(attack(path, norm, **run, words=words, settings=settings))
                )
                for at, run in enumerate(RUNS)
            ]
            print(f"{norm}, {change}:", ", ".join(f"{by:.0e}" for by in moved))
            assert max(moved) > 1e-5, change


if __name__ == "__main__":
    main()
