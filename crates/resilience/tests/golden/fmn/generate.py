"""Runs of the fast minimum-norm attack by foolbox, in float64.

    pip install torch==2.11.0 numpy foolbox==3.3.4
    python generate.py --autoattack DIR        (DIR: clone of fra31/auto-attack at a392200)

writes linf.json, l2.json and l1.json beside it.

Network, images, labels: ../attack_network.py, side 8. A run begins at the clean images.

Two projections of foolbox 3.3.4 are replaced. That of L2 divides a length by itself, and so leaves every
point where it is: here it is onto the ball of the radius. That of L1 is onto the ball, and what comes out
is clipped: here it is fra31/auto-attack's onto ball and box together.

Fixtures: `norm`, `steps`, `step_size`, `gamma`, `rows`, `labels` [n]; the digests of [n,3,8,8] in
`iterates` (where the gradients are taken; the first is that of the clean images), what the network says
of each in `predictions` [steps][n]; `nearest` [n*3*8*8], of those that were misclassified the nearest, and
`distances` [n] of these. `noise`: by how much an iterate moved when inputs, logits and gradients were off
by 1e-15, relative.

The generator then changes one constant or rule of the reference after the other and fails where the run
does not move by more than 1e-5.
"""

import os
import sys

import eagerpy
import foolbox
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import attack_network as shared  # noqa: E402
import formula  # noqa: E402

RUNS = {
    "linf": dict(attack="LInfFMNAttack", order=torch.inf, step_size=1.0),
    "l2": dict(attack="L2FMNAttack", order=2, step_size=0.5),
    "l1": dict(attack="L1FMNAttack", order=1, step_size=4.0),
}
ROWS, STEPS, GAMMA = [2, 14, 27, 63], 40, 0.05

# Name: words of the reference to replace, settings of the attack.
CHANGES = {
    "another step_size": ([], {"step_size": 0.9}),
    "gamma .06": ([], {"gamma": 0.06}),
    "last gamma .01": ([("0.001\n                + (self.gamma - 0.001)", "0.01\n                + (self.gamma - 0.01)")], {}),
    "last step a tenth": ([("max_stepsize / 100", "max_stepsize / 10")], {}),
    "no distance to the boundary": ([("+ distance_to_boundary", "+ 0 * distance_to_boundary")], {}),
    "radius that is not cut back to the nearest": (
        [("epsilon * (1 - gamma),\n                        ep.norms", "epsilon * (1 - gamma),\n                        99 + ep.norms")],
        {},
    ),
    "radius that does not grow": ([("epsilon * (1 + gamma),\n                        ep.norms", "epsilon,\n                        ep.norms")], {}),
}


def attack(path, run, noise=0.0, words=(), step_size=None, gamma=GAMMA):
    model = shared.Recorder(8, noise)
    x = shared.pool(8, ROWS)
    y = model.net(x).argmax(1)
    base = getattr(shared.of_foolbox("fast_minimum_norm", words), run["attack"])
    projection = shared.altered(path, "autopgd_base").L1_projection

    class Attack(base):
        def project(self, x, x0, epsilon):
            change, radii = x.raw - x0.raw, epsilon.raw
            if run["order"] == 2:
                length = change.flatten(1).norm(dim=1)
                change = change * shared.per_image((radii / length.clamp_min(1e-12)).clamp_max(1))
            elif run["order"] == 1:
                rows = [(x0.raw[i : i + 1], change[i : i + 1], radii[i]) for i in range(len(radii))]
                change = torch.cat([y + projection(x, y, eps) for x, y, eps in rows])
            else:
                return super().project(x, x0, epsilon)
            return x0 + eagerpy.astensor(change)

    method = Attack(steps=STEPS, max_stepsize=step_size or run["step_size"], gamma=gamma)
    wrapped = foolbox.PyTorchModel(model.eval(), bounds=(0, 1))
    nearest = method.run(wrapped, x, foolbox.criteria.Misclassification(y))
    assert nearest.dtype == torch.float64
    assert len(model.inputs) == STEPS
    predictions = [z.argmax(1) for z in model.outputs]
    return x, y, model.inputs, predictions, nearest


def main():
    path = shared.folder()
    for name, run in RUNS.items():
        x, y, iterates, predictions, nearest = attack(path, run)
        noise = shared.apart(iterates, attack(path, run, noise=1e-15)[2])
        seen = {}
        for change, (words, settings) in CHANGES.items():
            seen[change] = shared.apart(iterates, attack(path, run, words=words, **settings)[2])
        broken = torch.stack(predictions) != y
        print(name, noise, seen, broken.sum(0).tolist())
        assert noise < 1e-10
        assert min(seen.values()) > 1e-5, seen
        # Successes and failures after the first success: the radius shrinks and grows.
        assert broken.any(0).all() and (~broken[20:]).any(0).all()
        formula.write(os.path.join(HERE, name + ".json"), {
            "norm": name,
            "steps": STEPS,
            "step_size": run["step_size"],
            "gamma": GAMMA,
            "rows": ROWS,
            "labels": y.tolist(),
            "noise": noise,
            "iterates": shared.digests(iterates),
            "predictions": [p.tolist() for p in predictions],
            "nearest": shared.flat(nearest),
            "distances": (nearest - x).flatten(1).norm(run["order"], dim=1).tolist(),
        })


if __name__ == "__main__":
    main()
