"""One run of APGD by its authors' implementation, in float64, iterate by iterate.

    pip install torch==2.11.0 numpy
    python generate.py --autoattack DIR        (DIR: clone of fra31/auto-attack at a392200)

writes one fixture a run beside it: two norms, each with cross-entropy, DLR and targeted DLR.

Network, images, labels: ../attack_network.py, side 8. The start of pool image r is

    clamp(x + eps * t / (size(t) + 1e-12), 0, 1),   t = signed(8200, i) of shape [64,3,8,8], row r,

with size the largest |t| of the image (linf) or its Euclidean norm (l2). Targets: where a run has
`ranks`, the class with that rank among the logits of the clean image, 1 being the label.

Fixture: `norm`, `loss`, `eps`, `steps`, `rho`; `rows`, `labels`, `targets` (null unless targeted)
[n]; `start` [n*3*8*8]; of the start and the iterates after each step, in order, steps + 1 in all:
`iterates` (digests of [n,3,8,8]), `losses` [n] and `correct` [n]; `checkpoints`: of each the `step`
(from 0) after which it comes, and the positions in `rows` that halved their step there because of
`oscillation` and of `no_improvement`; `last`, `best`, `best_adversarial` [n*3*8*8]; `best_loss`
[n]; `robust` [n], 1 where every iterate was classified correctly. `best_adversarial` is the last
iterate that was not, or the start. `noise`: by how much an iterate moved when inputs, logits,
gradients, momentum and first step were off by 1e-15, relative.

The generator then changes one constant or rule of the reference after the other and prints by how
much each run moves. Every one of them moves some run by more than 1e-3.
"""

import os
import sys
import warnings

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

# The rows are few that together move under every change below, some of them never misclassified.
RUNS = {
    "linf-ce": dict(norm="Linf", loss="ce", eps=0.02, steps=100, rows=[14, 39, 41, 44]),
    "l2-ce": dict(norm="L2", loss="ce", eps=0.2, steps=50, rows=[5, 7, 15, 44]),
    "linf-dlr": dict(norm="Linf", loss="dlr", eps=0.015, steps=50, rows=[10, 43, 53, 60]),
    "l2-dlr": dict(norm="L2", loss="dlr", eps=0.2, steps=20, rows=[12, 16, 27, 63]),
    "linf-dlr-targeted": dict(
        norm="Linf",
        loss="dlr-targeted",
        eps=0.02,
        steps=100,
        rows=[1, 3, 5, 25],
        ranks=[3, 2, 4, 3],
    ),
    "l2-dlr-targeted": dict(
        norm="L2", loss="dlr-targeted", eps=0.2, steps=20, rows=[5, 21, 26, 50], ranks=[4, 2, 4, 4]
    ),
}

ROUNDING = [
    ("a = 0.75 if", "a = 0.75 * (1 + 1e-15) if"),
    ("alpha = 2. if", "alpha = 2. * (1 + 1e-15) if"),
]

# Name: words of the reference to replace, or attributes of the attack to set for n steps.
CHANGES = {
    "rho .7": ([], lambda n: {"thr_decr": 0.7}),
    "first checkpoint .2": ([], lambda n: {"n_iter_2": int(0.2 * n)}),
    "shortest period .08": ([], lambda n: {"n_iter_min": int(0.08 * n)}),
    "periods shrink by .04": ([], lambda n: {"size_decr": int(0.04 * n)}),
    "momentum .7": ([("a = 0.75 if", "a = 0.7 if")], None),
    "momentum in the first step": ([("if i > 0 else 1.0", "if i > 0 else 0.75")], None),
    "step 1.5 eps": ([("alpha = 2. if", "alpha = 1.5 if")], None),
    "oscillation on equality": ([("(t <= k * k3", "(t < k * k3")], None),
    "loss before the first is -inf": (
        [("  loss_steps = torch.zeros(", "  loss_steps = -1e9 + torch.zeros(")],
        None,
    ),
    "no improvement after a halving too": (
        [("(1. - reduced_last_check) * (", "1. * (")],
        None,
    ),
    "no halving without improvement": (
        [("(1. - reduced_last_check) * (", "0. * (")],
        None,
    ),
    "momentum forgotten at a halving": (
        [("x_adv[ind_fl_osc] = ", "x_adv[ind_fl_osc] = x_adv_old[ind_fl_osc] = ")],
        None,
    ),
    "a halving goes on where it was": (
        [("x_adv[ind_fl_osc] = x_best", "x_adv[ind_fl_osc] = x_adv")],
        None,
    ),
    "a halving keeps the gradient": (
        [("grad[ind_fl_osc] = grad_best", "grad[ind_fl_osc] = grad")],
        None,
    ),
}


def start(x, rows, norm, eps):
    t = formula.signed(8200, (shared.POOL, *x.shape[1:]))[rows]
    wide = t.flatten(1)
    size = wide.abs().max(1).values if norm == "Linf" else wide.norm(dim=1)
    return (x + eps * t / (shared.per_image(size) + 1e-12)).clamp(0, 1)


def dlr(z, y, targets):
    """The two losses as their paper states them, to check which loss the reference took."""
    top = z.sort(1, descending=True).values
    at = torch.arange(len(y))
    if targets is not None:
        scale = top[:, 0] - (top[:, 2] + top[:, 3]) / 2
        return (z[at, targets] - z[at, y]) / (scale + 1e-12)
    other = z.clone()
    other[at, y] = -torch.inf
    return (other.max(1).values - z[at, y]) / (top[:, 0] - top[:, 2] + 1e-12)


def attack(module, run, noise=0.0, attributes=None):
    model = shared.Recorder(8, noise)
    x = shared.pool(8, run["rows"])
    clean = model.net(x)
    y, targets = clean.argmax(1), None
    settings = dict(n_iter=run["steps"], norm=run["norm"], eps=run["eps"])
    if "ranks" in run:
        order = clean.argsort(1, descending=True)
        targets = order[torch.arange(len(y)), torch.tensor(run["ranks"]) - 1]
        method = module.APGDAttack_targeted(model, **settings)
        method.y_target = targets
    else:
        method = module.APGDAttack(model, loss=run["loss"], **settings)
    if attributes is not None:
        for name, value in attributes(run["steps"]).items():
            assert hasattr(method, name)
            setattr(method, name, value)
    oscillations = []
    check = method.check_oscillation

    def recorded(losses, step, *others, **named):
        oscillations.append((step, check(losses, step, *others, **named)))
        return oscillations[-1][1]

    method.check_oscillation = recorded
    method.init_hyperparam(x)
    x0 = start(x, run["rows"], run["norm"], run["eps"])
    best, robust, best_loss, best_adversarial = method.attack_single_run(x, y, x_init=x0)
    if run["loss"] == "ce":
        losses = [F.cross_entropy(z, y, reduction="none") for z in model.outputs]
    else:
        losses = [dlr(z, y, targets) for z in model.outputs]
    return dict(
        labels=y,
        targets=targets,
        start=x0,
        iterates=model.inputs,
        losses=losses,
        correct=[z.argmax(1) == y for z in model.outputs],
        checkpoints=checkpoints(oscillations, losses),
        best=best,
        best_adversarial=best_adversarial,
        best_loss=best_loss,
        robust=robust,
    )


def checkpoints(oscillations, losses):
    """Which rows halve their step where, and which of the two rules says so."""
    best = torch.stack(losses).cummax(0).values
    halved, before, found = torch.ones_like(best[0]), best[0], []
    for step, oscillation in oscillations:
        stuck = (halved == 0) & (before >= best[step + 1])
        halved, before = torch.maximum(oscillation, stuck.double()), best[step + 1]
        found.append(
            {
                "step": step,
                "oscillation": oscillation.nonzero().flatten().tolist(),
                "no_improvement": stuck.nonzero().flatten().tolist(),
            }
        )
    return found


def check(run, found):
    n = len(run["rows"])
    assert len(set(found["labels"].tolist())) > 2
    assert found["iterates"][0].equal(found["start"]) and len(found["iterates"]) == run["steps"] + 1
    best = torch.stack(found["losses"]).max(0).values
    assert best.max() < 10, "a DLR with so small a divisor that the loss is mostly rounding"
    assert (best - found["best_loss"]).abs().max() < 1e-12, "another loss than the reference's"
    robust = torch.stack(found["correct"]).all(0)
    assert robust.equal(found["robust"]) and 0 < robust.sum() < n, "broken and robust images"
    for row in range(n):
        wrong = [i for i, correct in enumerate(found["correct"]) if not correct[row]]
        at = wrong[-1] if wrong else 0
        assert found["best_adversarial"][row].equal(found["iterates"][at][row])


def fixture(run, found, noise):
    return {
        "norm": run["norm"].lower(),
        "loss": run["loss"],
        "eps": run["eps"],
        "steps": run["steps"],
        "rho": 0.75,
        "rows": run["rows"],
        "labels": found["labels"].tolist(),
        "targets": None if found["targets"] is None else found["targets"].tolist(),
        "noise": noise,
        "start": shared.flat(found["start"]),
        "iterates": shared.digests(found["iterates"]),
        "losses": [loss.tolist() for loss in found["losses"]],
        "correct": [row.int().tolist() for row in found["correct"]],
        "checkpoints": found["checkpoints"],
        "last": shared.flat(found["iterates"][-1]),
        "best": shared.flat(found["best"]),
        "best_loss": found["best_loss"].tolist(),
        "best_adversarial": shared.flat(found["best_adversarial"]),
        "robust": found["robust"].int().tolist(),
    }


def main():
    warnings.filterwarnings("ignore")
    path = shared.folder()
    module = shared.altered(path, "autopgd_base")
    rounded = shared.altered(path, "autopgd_base", ROUNDING)
    runs, rules = {}, set()
    for name, run in RUNS.items():
        found = runs[name] = attack(module, run)
        noise = shared.apart(found["iterates"], attack(rounded, run, noise=1e-15)["iterates"])
        check(run, found)
        for point in found["checkpoints"]:
            rules |= {rule for rule in ("oscillation", "no_improvement") if point[rule]}
        print(f"{name}: noise {noise:.0e}, robust {found['robust'].int().tolist()}")
        assert noise < 1e-11
        formula.write(os.path.join(HERE, name + ".json"), fixture(run, found, noise))
    assert rules == {"oscillation", "no_improvement"}
    for change, (words, attributes) in CHANGES.items():
        other = shared.altered(path, "autopgd_base", words)
        moved = {
            name: shared.apart(
                runs[name]["iterates"], attack(other, run, attributes=attributes)["iterates"]
            )
            for name, run in RUNS.items()
        }
        print(f"{change}:", ", ".join(f"{name} {by:.0e}" for name, by in moved.items()))
        assert max(moved.values()) > 1e-3, change


if __name__ == "__main__":
    main()
