"""HopSkipJump by foolbox 3.3.4, in float64, query by query.

    pip install torch==2.11.0 numpy scipy requests
    pip install --no-deps foolbox==3.3.4 eagerpy==0.30.0
    python generate.py

writes linf.json and l2.json beside it.

Network, images, labels: ../attack_network.py, side 8. Images are attacked one by one: the library divides
the gradients of a batch by the length of all of them together. A run begins at a point that is
misclassified, byte(8600, i) / 255, i in [64,3,8,8], the row of the image in the pool; where that is the
image's own class, at 1 less these numbers. What the library draws for step t, uniform in linf and normal
in l2, is replaced by signed(8610 + t, i), i in [samples,3,8,8], in both.

Fixture: `norm`, `rows`, `labels` [n]; `turned` [n], whether the start is 1 less the numbers; `samples`, of the
first step, `gamma`, `steps`; and of each image in `walks`: `answers`, for every query after the one about
the start, in order, 1 where it is misclassified and 0 where not (the library asks again about each point
that it comes to, to be sure; these are left out), `points`, the digest of [3,8,8] of each point at the
boundary, steps + 1 in all, and `distances` of these. `noise`: by how much a point moved when inputs and
logits were off by 1e-15, relative; `alike`: whether the answers were the same.

The generator then changes one constant or rule of the reference after the other and prints by how much
the last point of any image moves: every one of them by more than 1e-5. The blending that finds a start is
not in it.
"""

import inspect
import os
import sys
import types

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

import eagerpy as ep  # noqa: E402
import foolbox  # noqa: E402
import foolbox.attacks.hop_skip_jump as reference  # noqa: E402

# Of the l2 rows one halves a step, which is rare.
ROWS = {"linf": [0, 6, 14, 27], "l2": [6, 14, 21, 27]}
STEPS, SAMPLES, GAMMA = 6, 20, 1.0
CHANGES = {
    "samples that do not grow": [("math.sqrt(step + 1), self.max", "1, self.max")],
    "steps that do not shrink": [("distances / math.sqrt(step + 1)", "distances")],
    "steps halved to a third": [("epsilons / 2.0)", "epsilons / 3.0)")],
    "the mean not taken off": [("multipliers - ep.mean(multipliers, axis=0, keepdims=True)", "multipliers")],
    "directions that are not clipped": [("perturbed = ep.clip(perturbed, 0, 1)\n\n        rv", "rv")],
    "first delta 0.11": [("0.1 * ep", "0.11 * ep")],
    "later delta twice as large": [
        ("d * theta * distances\n            else", "2 * d * theta * distances\n            else"),
        ("np.sqrt(d) * theta", "2 * np.sqrt(d) * theta"),
    ],
    "a coarser boundary": [
        ("self.gamma / (d * d)\n        else", "32 * self.gamma / (d * d)\n        else"),
        ("highs * self.gamma / (d * math", "highs * 32 * self.gamma / (d * math"),
    ],
}


def altered(words):
    text = inspect.getsource(reference)
    for old, new in words:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the reference"
        text = text.replace(old, new)
    module = types.ModuleType("foolbox.attacks.altered")
    module.__package__ = "foolbox.attacks"
    exec(compile(text, reference.__file__, "exec"), module.__dict__)
    return module


def walk(norm, row, noise=0.0, words=()):
    """The walk of one image."""
    model = shared.Recorder(8, noise)
    x = shared.pool(8, [row])
    y = model.net(x).argmax(1)
    start = formula.byte(8600, (shared.POOL, *x.shape[1:])).double()[[row]] / 255
    turned = bool(model.net(start).argmax(1) == y)
    start = 1 - start if turned else start
    assert model.net(start).argmax(1) != y
    answers, points, pending, drawn = [], [], [], []

    def kept(is_adversarial):
        def asked(images):
            answer = is_adversarial(images)
            answers.append(int(answer.raw.item()))
            return answer

        return asked

    def settle():
        """Of what was asked between the parts the last one is the library's look at where it came to."""
        answers.extend(pending[:-1])
        pending.clear()

    class Walk(altered(words).HopSkipJumpAttack):
        def _binary_search(self, is_adversarial, originals, perturbed):
            settle()
            point = super()._binary_search(kept(is_adversarial.plain), originals, perturbed)
            points.append(point.raw.clone())
            return point

        def approximate_gradients(self, is_adversarial, x_advs, steps, delta):
            settle()
            return super().approximate_gradients(kept(is_adversarial.plain), x_advs, steps, delta)

    class Asked:
        def __init__(self, plain):
            self.plain = plain

        def __call__(self, images):
            answer = self.plain(images)
            pending.append(int(answer.raw.item()))
            return answer

    module = Walk.__mro__[1].run.__globals__
    plain = module["get_is_adversarial"]
    module["get_is_adversarial"] = lambda criterion, model: Asked(plain(criterion, model))

    def draw(_, shape, **__):
        values = formula.signed(8610 + len(drawn), shape)
        drawn.append(values)
        return ep.astensor(values)

    class Drawing:
        """eagerpy with other random numbers."""

        def __getattr__(self, name):
            return draw if name in ("normal", "uniform") else getattr(ep, name)

    module["ep"] = Drawing()
    method = Walk(
        steps=STEPS, initial_gradient_eval_steps=SAMPLES, gamma=GAMMA, constraint=norm
    )
    wrapped = foolbox.PyTorchModel(model.eval(), bounds=(0, 1))
    last = method.run(wrapped, x, foolbox.criteria.Misclassification(y), starting_points=start)
    settle()
    assert len(points) == STEPS + 1 and points[-1].equal(last) and last.dtype == torch.float64
    order = {"linf": torch.inf, "l2": 2}[norm]
    distances = [(point - x).flatten().norm(order).item() for point in points]
    return dict(label=y.item(), turned=turned, answers=answers, points=points, distances=distances)


def main():
    for norm in ("linf", "l2"):
        walks = [walk(norm, row) for row in ROWS[norm]]
        again = [walk(norm, row, noise=1e-15) for row in ROWS[norm]]
        noise = max(shared.apart(a["points"], b["points"]) for a, b in zip(walks, again))
        alike = all(a["answers"] == b["answers"] for a, b in zip(walks, again))
        print(norm, f"noise {noise:.0e}, alike {alike}", [len(w["answers"]) for w in walks])
        print([[round(d, 4) for d in w["distances"]] for w in walks], [w["turned"] for w in walks])
        assert alike and noise < 1e-9
        for name, words in CHANGES.items():
            others = [walk(norm, row, words=words) for row in ROWS[norm]]
            by = max(shared.apart(a["points"][-1:], b["points"][-1:]) for a, b in zip(walks, others))
            print(f"{norm}, {name}: {by:.0e}")
            assert by > 1e-5
        found = {
            "norm": norm,
            "rows": ROWS[norm],
            "labels": [w["label"] for w in walks],
            "turned": [w["turned"] for w in walks],
            "samples": SAMPLES,
            "gamma": GAMMA,
            "steps": STEPS,
            "noise": noise,
            "alike": alike,
            "walks": [
                dict(
                    answers=w["answers"],
                    points=shared.digests([point[0] for point in w["points"]]),
                    distances=w["distances"],
                )
                for w in walks
            ],
        }
        formula.write(os.path.join(HERE, norm + ".json"), found)


if __name__ == "__main__":
    main()
