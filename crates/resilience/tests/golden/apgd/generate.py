"""One run of APGD by its authors' implementation, in float64, iterate by iterate.

    pip install torch==2.11.0 numpy
    python generate.py --autoattack DIR        (DIR: clone of fra31/auto-attack at a392200)

writes one fixture a run beside it: three norms, each with cross-entropy, DLR and targeted DLR.

Network, images, labels: ../attack_network.py, side 8. The start of pool image r is

    clamp(x + eps * t / (size(t) + 1e-12), 0, 1),   t = signed(8200, i) of shape [64,3,8,8], row r,

with size the largest |t| of the image (linf) or its Euclidean norm (l2). In l1 it is the point of ball
and box that is nearest to x + t, by the reference's projection; `begin` says how the run goes on from
there: as from a point that was `found`, or `drawn` by the reference itself, or `shrinking`, where the
point is that of 3 eps and the run goes on to 2 eps and eps (`decr_eps_pgd`, 30 %, 30 % and 40 % of the
steps, rounded up but for the last). Targets: where a run has `ranks`, the class with that rank among the
logits of the clean image, 1 being the label.

In l1 the reference is changed in one thing. It adds the change to x and then takes the projection's part
off, so that numbers whose change is taken off altogether differ from x by rounding, some of them, and
counts them as changed. Here it adds both to each other first (EXACT below), and such numbers are those
of x. By how much that moves the runs is printed.

Fixture: `norm`, `loss`, `eps`, `steps`, `rho`, in l1 `begin`; `rows`, `labels`, `targets` (null unless
targeted) [n]; `start` and in l1 `draws` (the t) [n*3*8*8]; of the start and the iterates after each step, in order, steps + 1 in all (steps + 3, where each ball has a start, in a
shrinking run, whose `robust`, `best` and `best_loss` are of the last ball):
`iterates` (digests of [n,3,8,8]), `losses` [n] and `correct` [n]; `checkpoints`: of each the `step`
(from 0) after which it comes, and the positions in `rows` that halved their step there because of
`oscillation` and of `no_improvement`; `last`, `best`, `best_adversarial` [n*3*8*8]; `best_loss`
[n]; `robust` [n], 1 where every iterate was classified correctly. `best_adversarial` is the last
iterate that was not, or the start. `noise`: by how much an iterate moved when inputs, logits,
gradients, momentum and first step were off by 1e-15, relative.

The generator then changes one constant or rule of the reference after the other and prints by how
much each run moves. Every one of them moves some run by more than 1e-3.
"""

import math
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
    "l1-ce": dict(norm="L1", loss="ce", begin="found", eps=1.0, steps=100, rows=[9, 21, 37, 53]),
    "l1-dlr": dict(norm="L1", loss="dlr", begin="drawn", eps=0.6, steps=50, rows=[4, 15, 44, 61]),
    "l1-dlr-targeted": dict(
        norm="L1",
        loss="dlr-targeted",
        begin="shrinking",
        eps=0.6,
        steps=50,
        rows=[33, 41, 46, 63],
        ranks=[2, 4, 3, 2],
    ),
}

EXACT = [
    ("x_adv_1 = x + delta_u + delta_p", "x_adv_1 = x + (delta_u + delta_p)"),
    ("x_adv = x + t + delta", "x_adv = x + (t + delta)"),
    (
        "x_init += L1_projection(x, x_init - x, 1. * float(epss[0]))",
        "x_init = x + ((x_init - x) + L1_projection(x, x_init - x, 1. * float(epss[0])))",
    ),
    (
        "x_init += L1_projection(x, x_init - x, 1. * eps)",
        "x_init = x + ((x_init - x) + L1_projection(x, x_init - x, 1. * eps))",
    ),
]

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
    "l1, first share .25": ([("topk = .2 *", "topk = .25 *")], None),
    "l1, first share of the found": (
        [("L0_norm(x_adv - x) / n_fts / 1.5", "L0_norm(x_adv - x) / n_fts / 1.3")],
        None,
    ),
    "l1, share of the best": ([("sp_curr / n_fts / 1.5", "sp_curr / n_fts / 1.3")], None),
    "l1, checkpoints after .06": ([("int(.04 * self.n_iter)", "int(.06 * self.n_iter)")], None),
    "l1, few is .9": ([("< .95", "< .9")], None),
    "l1, steps by 1.4": ([("adasp_redstep = 1.5", "adasp_redstep = 1.4")], None),
    "l1, shortest step eps / 8": ([("adasp_minstep = 10.", "adasp_minstep = 8.")], None),
    "l1, step 1.1 eps": ([("else 1. if self.norm", "else 1.1 if self.norm")], None),
    "l1, goes on where it was": (
        [("x_adv[fl_redtopk] = x_best", "x_adv[fl_redtopk] = x_adv")],
        None,
    ),
    "l1, keeps the gradient": (
        [("grad[fl_redtopk] = grad_best", "grad[fl_redtopk] = grad")],
        None,
    ),
}


def draws(x, rows):
    return formula.signed(8200, (shared.POOL, *x.shape[1:]))[rows]


def start(module, x, rows, norm, eps):
    t = draws(x, rows)
    if norm == "L1":
        return (x + (t + module.L1_projection(x, t, eps))).clamp(0, 1)
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
    if run["norm"] == "L1":
        found, x0 = attack_l1(module, method, run, x, y)
    else:
        x0 = start(module, x, run["rows"], run["norm"], run["eps"])
        found = method.attack_single_run(x, y, x_init=x0)
    best, robust, best_loss, best_adversarial = found
    if run["loss"] == "ce":
        losses = [F.cross_entropy(z, y, reduction="none") for z in model.outputs]
    else:
        losses = [dlr(z, y, targets) for z in model.outputs]
    return dict(
        labels=y,
        targets=targets,
        begin={
            "begin": run["begin"],
            "draws": shared.flat(draws(x, run["rows"])),
        }
        if run["norm"] == "L1"
        else {},
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


def balls(run):
    """The radii of a run with the steps in each, as the reference's `perturb` computes them."""
    if run.get("begin") != "shrinking":
        return [(run["eps"], run["steps"])]
    steps = [math.ceil(c) for c in (0.3 * run["steps"], 0.3 * run["steps"])]
    steps.append(run["steps"] - sum(steps))
    return list(zip([3.0 * run["eps"], 2.0 * run["eps"], run["eps"]], steps))


def attack_l1(module, method, run, x, y):
    """The run, and the point that it begins at."""
    t = draws(x, run["rows"])
    x0 = start(module, x, run["rows"], "L1", balls(run)[0][0])
    if run["begin"] == "found":
        return method.attack_single_run(x, y, x_init=x0), x0
    kept = torch.randn, torch.randn_like
    torch.randn = torch.randn_like = lambda _: t.clone()
    try:
        if run["begin"] == "drawn":
            return method.attack_single_run(x, y), x0
        epss, steps = zip(*balls(run))
        return method.decr_eps_pgd(x, y, list(epss), list(steps)), x0
    finally:
        torch.randn, torch.randn_like = kept


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
    n, inside = len(run["rows"]), balls(run)
    assert len(set(found["labels"].tolist())) > 2
    assert (found["iterates"][0] - found["start"]).abs().max() < 1e-14
    assert len(found["iterates"]) == run["steps"] + len(inside)
    first = len(found["iterates"]) - inside[-1][1] - 1
    best = torch.stack(found["losses"][first:]).max(0).values
    assert best.max() < 10, "a DLR with so small a divisor that the loss is mostly rounding"
    assert (best - found["best_loss"]).abs().max() < 1e-12, "another loss than the reference's"
    robust = torch.stack(found["correct"][first:]).all(0)
    assert robust.equal(found["robust"]) and 0 < robust.sum() < n, "broken and robust images"
    for row in range(n):
        wrong = [i for i, c in enumerate(found["correct"]) if i >= first and not c[row]]
        at = wrong[-1] if wrong else first
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
        **found["begin"],
    }


def main():
    warnings.filterwarnings("ignore")
    path = shared.folder()
    module = shared.altered(path, "autopgd_base", EXACT)
    rounded = shared.altered(path, "autopgd_base", EXACT + ROUNDING)
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
    plain = shared.altered(path, "autopgd_base")
    for name in (name for name, run in RUNS.items() if run["norm"] == "L1"):
        by = shared.apart(runs[name]["iterates"], attack(plain, RUNS[name])["iterates"])
        print(f"{name}, rounding counted as change: {by:.0e}")
    for change, (words, attributes) in CHANGES.items():
        other = shared.altered(path, "autopgd_base", EXACT + words)
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
