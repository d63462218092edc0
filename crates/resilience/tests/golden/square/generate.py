"""Runs of the Square attack by its authors' implementation, in float64, query by query.

    pip install torch==2.11.0 numpy
    python generate.py --autoattack DIR        (DIR: clone of fra31/auto-attack at a392200)

writes linf.json, l2.json and l1.json beside it.

Network, images, labels: ../attack_network.py, side 16. Everything the reference draws is in the
fixture, as integers; it draws one place (and in linf one colour) a query for all images together.

Fixture: `norm`, `eps`, `p_init`, `queries` (the largest number after the first), `rows`, `labels`
[n]; the schedule is that for 10000 queries, without rescaling. `start`: in linf the `stripes`
[n*3*16], a sign for each image, channel and column; in l2 and l1 the `tiles` in the order drawn, rows of
five from the top left corner on, each 3 x 3 pixels large, the last row and column of the image
bare: of each whether eta is `transposed`, and the `signs` [n*3].

Then, of the start and of each query, in lists of the same length: `live`, which images are in the
batch (positions in `rows`; those misclassified so far are left out), `queried`, the digest of the
images given to the network [live,3,16,16], and their `margins` [live] (label's logit minus the
largest other). And of each query, in lists one shorter: `sizes`, the side of the window;
`windows`, first row and column of it, in l2 and l1 of both windows, the one that gains first; `signs`,
in linf [3], else [live*3]; in l2 and l1 whether eta is `transposed` (its first row is positive throughout
when it is not). `best` [n*3*16*16]: the images returned; `used` [n]: the queries of each.

In l1 the reference is changed in one thing (EXACT below): it adds the change to x and then takes the
projection's part off, so that some numbers whose change is taken off altogether differ from x by
rounding, which a window is later filled with. Here both are added to each other first.

`noise`: by how much a query or the result moved when inputs and logits were off by 1e-15, relative,
and in l2 and l1 also when a norm was off by 1e-14.

The generator then changes one rule of the reference after the other and prints by how much each run
moves. Every one of them moves the run by more than 1e-3.
"""

import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

SIDE = 16
RUNS = {
    "linf": dict(norm="Linf", eps=0.02, queries=260, rows=[0, 1, 5]),
    "l2": dict(norm="L2", eps=0.2, queries=260, rows=[5, 9, 12]),
    "l1": dict(norm="L1", eps=2.0, queries=260, rows=[5, 9, 12]),
}
EXACT = [
    ("x_best = x + delta_init + r_best", "x_best = x + (delta_init + r_best)"),
    ("x_new = x_curr + delta_curr + r_curr", "x_new = x_curr + (delta_curr + r_curr)"),
]
ROUNDING = {
    "linf": [],
    "l2": [("norms_image ** 2, torch", "norms_image ** 2 * (1 + 1e-14), torch")],
    "l1": [("norms_image, torch", "norms_image * (1 + 1e-14), torch")],
}
SCHEDULE = {
    "schedule from 12": [("10 < it <= 50", "12 < it <= 50")],
    "schedule from 55": [("it <= 50:", "it <= 55:"), ("50 < it", "55 < it")],
    "schedule from 210": [("it <= 200:", "it <= 210:"), ("200 < it", "210 < it")],
}
CHANGES = {
    "linf": {
        **SCHEDULE,
        "1.9 eps": [("= 2. * self.eps", "= 1.9 * self.eps")],
    },
    "l2": {
        **SCHEDULE,
        "unused norm not given out": [("norms_image ** 2, torch", "self.eps ** 2, torch")],
        "norm of the windows lost": [("c + norms_windows ** 2).sqrt", "c + 0.0).sqrt")],
        "steps of eta 1 / i": [("self.device) ** 2)", "self.device))")],
    },
    "l1": {
        **SCHEDULE,
        "norm of the windows lost": [("c + norms_windows) * c", "c + 0.0) * c")],
        "not times the channels": [("c + norms_windows) * c", "c + norms_windows)")],
        "steps of eta 1 / i^3": [("self.device) ** 4)", "self.device) ** 3)")],
        "hair of 1e-2": [
            ("(x, delta_init, self.eps * (1. - 1e-6))", "(x, delta_init, self.eps * .99)"),
            ("(x_curr, delta_curr, self.eps * (1. - 1e-6))", "(x_curr, delta_curr, self.eps * .99)"),
        ],
    },
}


def attack(path, norm, eps, queries, rows, noise=0.0, words=()):
    module = shared.altered(path, "square", EXACT + list(words))
    model = shared.Recorder(SIDE, noise)
    x = shared.pool(SIDE, rows)
    y = model.net(x).argmax(1)
    drawn, steps = [], []

    class Recorded(module.SquareAttack):
        def random_int(self, low=0, high=1, shape=(1,)):
            drawn.append(("size", SIDE - high))
            drawn.append(("window", super().random_int(low, high, shape)))
            return drawn[-1][1]

        def random_choice(self, shape):
            drawn.append(("signs", super().random_choice(shape)))
            return drawn[-1][1]

        def eta(self, s):
            delta = super().eta(s)
            drawn.append(("transposed", (delta[0, -1] < 0).int()))
            return delta

        def margin_and_loss(self, images, labels):
            margin, loss = super().margin_and_loss(images, labels)
            steps.append(dict(drawn=drawn.copy(), margin=margin.clone()))
            drawn.clear()
            return margin, loss

    torch.manual_seed(0)
    method = Recorded(model, norm=norm, n_queries=queries, eps=eps, resc_schedule=False)
    method.init_hyperparam(x)
    used, best = method.attack_single_run(x, y)
    live, left = [], list(range(len(rows)))
    for step in steps:
        assert len(left) == len(step["margin"])
        live.append(left)
        left = [row for row, margin in zip(left, step["margin"]) if margin > 0]
    return dict(
        labels=y,
        live=live,
        queried=model.inputs,
        margins=[step["margin"] for step in steps],
        drawn=[step["drawn"] for step in steps],
        best=best,
        used=used,
    )


def whole(values):
    numbers = torch.as_tensor(values)
    assert (numbers == numbers.long()).all()
    return numbers.long().reshape(-1).tolist()


def of(drawn, kind):
    return [value for name, value in drawn if name == kind]


def fixture(run, found, noise):
    first, *others = found["drawn"]
    if run["norm"] == "Linf":
        (stripes,) = of(first, "signs")
        start = {"stripes": whole(stripes)}
    else:
        tiles = zip(of(first, "transposed"), of(first, "signs"))
        start = {"tiles": [{"transposed": int(t), "signs": whole(signs)} for t, signs in tiles]}
    steps = {
        "sizes": [of(drawn, "size")[0] for drawn in others],
        "windows": [[int(at) for at in of(drawn, "window")] for drawn in others],
        "signs": [whole(of(drawn, "signs")[0]) for drawn in others],
    }
    if run["norm"] != "Linf":
        steps["transposed"] = [int(of(drawn, "transposed")[0]) for drawn in others]
    assert len(set(steps["sizes"])) >= 3 and all(0 not in signs for signs in steps["signs"])
    return {
        "norm": run["norm"].lower(),
        "eps": run["eps"],
        "p_init": 0.8,
        "queries": run["queries"],
        "rows": run["rows"],
        "labels": found["labels"].tolist(),
        "noise": noise,
        "start": start,
        **steps,
        "live": found["live"],
        "queried": shared.digests(found["queried"]),
        "margins": [margin.tolist() for margin in found["margins"]],
        "best": shared.flat(found["best"]),
        "used": whole(found["used"]),
    }


def everything(found):
    return [*found["queried"], found["best"]]


def main():
    path = shared.folder()
    for name, run in RUNS.items():
        found = attack(path, **run)
        again = attack(path, **run, noise=1e-15, words=ROUNDING[name])
        noise = shared.apart(everything(found), everything(again))
        result = fixture(run, found, noise)
        print(f"{name}: noise {noise:.0e}, used {result['used']}, sizes {set(result['sizes'])}")
        print("margins", [found["margins"][0].tolist(), found["margins"][-1].tolist()])
        formula.write(os.path.join(HERE, name + ".json"), result)
        for change, words in CHANGES[name].items():
            by = shared.apart(everything(found), everything(attack(path, **run, words=words)))
            print(f"{name}, {change}: {by:.0e}")
            assert by > 1e-3


if __name__ == "__main__":
    main()
