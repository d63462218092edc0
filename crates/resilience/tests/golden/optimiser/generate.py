"""Optimisers, learning rates and weight averages in PyTorch, in float64.

    python generate.py        (PyTorch 2.11; writes optimiser.json, schedule.json and ema.json)

With the formulas of ../formula.py; three parameters p = 0, 1, 2 of shapes [5,3,2,2], [7] and [4,6].

optimiser.json: 12 steps s = 0..11 from parameter p = signed(p, i), with the gradient signed(100 *
(s + 1) + p, i), by torch.optim.SGD, Adam and AdamW. The step, from weights p and gradient g:

- sgd: p - r g, r = 0.1;
- sgd-momentum: b = 0.9 b + g, in step 0 b = g; then p - r b;
- sgd-nesterov-decay: first g = g + 5e-4 p; then b likewise, and p - r (g + 0.9 b) with the new b;
- sgd-momentum-rates: sgd-momentum with r = 0.1 / (s + 1), which b does not contain;
- adam: m = 0.9 m + 0.1 g, v = 0.999 v + 0.001 g^2, both from 0; then p - r m' / (sqrt(v') + 1e-8),
  r = 1e-3, m' = m / (1 - 0.9^(s+1)), v' = v / (1 - 0.999^(s+1));
- adam-decay: adam with g + 5e-4 p for g;
- adamw: first p = p - r 0.01 p, then adam, with g as it is.

All three parameters are treated alike: biases decay too. Fixture: by optimiser `steps`, an entry
after each step, with `digests` of the three parameters: sum, Euclidean norm, projection = sum of
element i times signed(3000 + p, i), and the first eight elements (seven of parameter 1); after the
first and the last step also `values`, all elements of the three in row-major order.

schedule.json: the learning rate of each optimiser step t = 0..69 of 10 epochs of 7 steps, peak 0.2,
by torch.optim.lr_scheduler; step t belongs to epoch e = t div 7:

- constant: 0.2;
- piecewise: 0.2 for e < 5, 0.02 for 5 <= e < 8, 0.002 for e >= 8 (MultiStepLR of milestones 5 and
  8, gamma 0.1, stepped after each epoch);
- cosine: 0.1 (1 + cos(pi t / 70)) (CosineAnnealingLR of T_max 70, stepped after each optimiser
  step, like the ones below);
- cyclic: 0.2 t / 35 for t <= 35, 0.2 (70 - t) / 35 after it, so step 0 has the rate 0 (CyclicLR of
  base_lr 0, max_lr 0.2, step_size_up and step_size_down 35, as locuslab/fast_adversarial 54f7287);
- one-cycle-0.025 and one-cycle-0.3: with c = 0.025 or 0.3 and end = 70 c - 1 (0.75 and 20, not
  rounded), u = t / end from low = 0.2 / 25 to high = 0.2 for t <= end, and u = (t - end) / (69 -
  end) from 0.2 to 0.2 / 25 / 1e4 after it; the rate is to + (from - to) / 2 (1 + cos(pi u)). With
  c = 0.025 only t = 0 is before the end, and no step has the full rate. (OneCycleLR of max_lr 0.2,
  total_steps 70, pct_start c, anneal_strategy "cos", div_factor 25, final_div_factor 1e4.)

Fixture: by schedule, the 70 rates.

ema.json: the average a of the weights w over 30 steps k = 1..30. Parameter p is signed(900 + 3 k +
p, i) after step k, and signed(900 + p, i) before step 1, which a begins with. After step k,
a = d a + (1 - d) w, d = min(tau, (1 + n) / (10 + n)).

- immediate: tau 0.995, n = k - 1;
- warm-up-5: tau 0.995; a is w after the steps 1 to 5, then n = k - 6 from step 6 on;
- tau-0.6: tau 0.6, n = k - 1. In the other two d stays below tau (30/39 in the last step).

(ema_update in imrahulr/adversarial_robustness_pytorch 6df6a8f is that with k for global_step and
warmup_steps one larger than here: 1, 6 and 1.) Fixture: by variant `tau`, `warm_up` and `values`, a
list of the averages after the steps `after` = 1, 5, 6, 30: all elements of parameter 0 in row-major
order, then those of 1 and of 2.

The generator fails unless the plain arithmetic of plain.py gives the same numbers within 1e-13, and
unless each constant or rule changed in it moves a number by more than 1e-7.
"""

import math
import os
import sys
import types

import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import get_ema_avg_fn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

SHAPES = [(5, 3, 2, 2), (7,), (4, 6)]
STEPS, AFTER = 12, (1, 5, 6, 30)

CHANGES = {
    "optimiser": {
        "rate 0.1001": [("return 0.1\n", "return 0.1001\n")],
        "momentum 0.901": [("sgd(tenth, momentum=0.9)", "sgd(tenth, momentum=0.901)")],
        "gradient damped like an average": [
            ('momentum * state["b"] + g', 'momentum * state["b"] + (1 - momentum) * g')
        ],
        "first step damped": [("g if s == 0 else", "(1 - momentum) * g if s == 0 else")],
        "nesterov without effect": [
            ('g + momentum * state["b"] if nesterov', 'state["b"] if nesterov')
        ],
        "nesterov of the old buffer": [
            (
                'g + momentum * state["b"] if',
                'g + momentum * (state["b"] - g) if s and',
            )
        ],
        "no decay": [("True, decay=5e-4", "True, decay=0")],
        "decay 4.9e-4": [("True, decay=5e-4", "True, decay=4.9e-4")],
        "decay of the step alone": [
            ("return p - rate(s) * g", "return p - rate(s) * (g + decay * p)"),
            ("        g = g + decay * p\n        if", "        if"),
        ],
        "rates in the buffer": [
            ("else momentum * ", "else momentum * rate(s - 1) / rate(s) * "),
        ],
        "the rate of the next step": [("0.1 / (s + 1)", "0.1 / (s + 2)")],
        "Adam without bias correction of m": [(" / (1 - 0.9 ** (s + 1))", "")],
        "Adam without bias correction of v": [(" / (1 - 0.999 ** (s + 1))", "")],
        "first beta 0.91": [
            ('0.9 * state.get("m", 0) + (1 - 0.9)', '0.91 * state.get("m", 0) + (1 - 0.91)')
        ],
        "second beta 0.99": [
            ('0.999 * state.get("v", 0) + (1 - 0.999)', '0.99 * state.get("v", 0) + (1 - 0.99)')
        ],
        "epsilon 1e-5": [("1e-8", "1e-5")],
        "Adam's decay decoupled": [("thousandth, decay=5e-4", "thousandth, decoupled=5e-4")],
        "Adam without decay": [("thousandth, decay=5e-4", "thousandth")],
        "Adam's decay 4e-4": [("thousandth, decay=5e-4", "thousandth, decay=4e-4")],
        "AdamW's decay coupled": [("decoupled=0.01", "decay=0.01")],
        "AdamW's decay without the rate": [("rate(s) * decoupled", "decoupled")],
        "AdamW's decay 0.0099": [("decoupled=0.01", "decoupled=0.0099")],
        "no decay of what has one dimension": [
            ("p = p - rate(s) * decoupled * p", "p = p - rate(s) * decoupled * p * (p.dim() > 1)")
        ],
    },
    "schedule": {
        "piecewise an epoch later": [("// PER_EPOCH >=", "// PER_EPOCH >")],
        "piecewise a step later": [("t // PER_EPOCH >=", "(t - 1) // PER_EPOCH >=")],
        "piecewise of factor 0.11": [("PEAK * 0.1", "PEAK * 0.11")],
        "piecewise at one epoch": [("in (5, 8)", "in (5,)")],
        "cosine to the last step": [("math.pi * t / TOTAL", "math.pi * t / (TOTAL - 1)")],
        "cosine by epochs": [("math.pi * t / TOTAL", "math.pi * (t // PER_EPOCH) / EPOCHS")],
        "cosine from the next step": [("math.pi * t / TOTAL", "math.pi * (t + 1) / TOTAL")],
        "cyclic from the next step": [("abs(t / ", "abs((t + 1) / ")],
        "cyclic down to the last step": [("(TOTAL / 2)", "((TOTAL - 1) / 2)")],
        "one cycle of factor 24": [("PEAK / 25", "PEAK / 24")],
        "one cycle down to 1e-3 of the first": [("low / 1e4", "low / 1e3")],
        "one cycle down to nothing": [("low / 1e4", "0")],
        "one cycle down to 1e-4 of the peak": [("low / 1e4", "high / 1e4")],
        "one cycle's rise a step longer": [("share * TOTAL - 1", "share * TOTAL")],
        "one cycle's rise in whole steps": [
            ("share * TOTAL - 1", "math.floor(share * TOTAL - 1) or 1e-9")
        ],
        "one cycle a step longer": [("(TOTAL - 1 - end)", "(TOTAL - end)")],
        "one cycle in straight lines": [
            (
                "high + (low - high) / 2 * (1 + math.cos(math.pi * u))",
                "high + (low - high) * (1 - u)",
            )
        ],
    },
    "ema": {
        "constant decay": [("min(tau, (1 + n) / (10 + n))", "tau")],
        "no tau": [("min(tau, (1 + n) / (10 + n))", "(1 + n) / (10 + n)")],
        "n from 1": [("n = k - 1 -", "n = k -")],
        "n from step 1 in the warm-up too": [("(1 + n) / (10 + n)", "k / (k + 9)")],
        "11 for 10": [("(10 + n)", "(11 + n)")],
        "begins at the weights after step 1": [("weights[0], []", "weights[1], []")],
        "begins at nothing": [("weights[0], []", "0 * weights[0], []")],
        "average frozen in the warm-up": [("0.0 if n < 0", "1.0 if n < 0")],
        "warm-up of 4 steps": [("(0.995, 5)", "(0.995, 4)")],
    },
}


def plain(words=()):
    """plain.py with a few words of it replaced."""
    with open(os.path.join(HERE, "plain.py"), encoding="utf-8") as source:
        text = source.read()
    for old, new in words:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in plain.py"
        text = text.replace(old, new)
    module = types.ModuleType("plain")
    exec(compile(text, "plain.py", "exec"), module.__dict__)
    return module


def parameters(stream):
    return [formula.signed(stream + p, shape) for p, shape in enumerate(SHAPES)]


def gradients(s):
    return parameters(100 * (s + 1))


OPTIMISERS = {
    "sgd": lambda w: torch.optim.SGD(w, lr=0.1, foreach=False),
    "sgd-momentum": lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.9, foreach=False),
    "sgd-nesterov-decay": lambda w: torch.optim.SGD(
        w, lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, foreach=False
    ),
    "sgd-momentum-rates": lambda w: torch.optim.SGD(w, lr=0.1, momentum=0.9, foreach=False),
    "adam": lambda w: torch.optim.Adam(w, lr=1e-3, weight_decay=0, foreach=False),
    "adam-decay": lambda w: torch.optim.Adam(w, lr=1e-3, weight_decay=5e-4, foreach=False),
    "adamw": lambda w: torch.optim.AdamW(w, lr=1e-3, weight_decay=0.01, foreach=False),
}


def optimised(name):
    """The parameters after each step by PyTorch."""
    weights = [w.requires_grad_() for w in parameters(0)]
    optimiser, after = OPTIMISERS[name](weights), []
    for s in range(STEPS):
        for w, g in zip(weights, gradients(s)):
            w.grad = g
        if name == "sgd-momentum-rates":
            optimiser.param_groups[0]["lr"] = 0.1 / (s + 1)
        optimiser.step()
        after.append([w.detach().clone() for w in weights])
    return after


def optimised_plainly(step):
    weights, states, after = parameters(0), [{} for _ in SHAPES], []
    for s in range(STEPS):
        triples = zip(weights, gradients(s), states)
        weights = [step(w, g, state, s) for w, g, state in triples]
        after.append(weights)
    return after


SCHEDULES = {
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1),
    "piecewise": lambda o: lr_scheduler.MultiStepLR(o, milestones=[5, 8], gamma=0.1),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=70),
    "cyclic": lambda o: lr_scheduler.CyclicLR(
        o, base_lr=0, max_lr=0.2, step_size_up=35, step_size_down=35, cycle_momentum=False
    ),
    "one-cycle-0.025": lambda o: one_cycle(o, 0.025),
    "one-cycle-0.3": lambda o: one_cycle(o, 0.3),
}


def one_cycle(optimiser, share):
    return lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=0.2,
        total_steps=70,
        pct_start=share,
        anneal_strategy="cos",
        div_factor=25,
        final_div_factor=1e4,
        cycle_momentum=False,
    )


def scheduled(name):
    """The rate of each step by PyTorch."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2, momentum=0.9)
    scheduler, rates = SCHEDULES[name](optimiser), []
    for t in range(70):
        rates.append(float(optimiser.param_groups[0]["lr"]))
        optimiser.step()
        if t < 69 and (name != "piecewise" or t % 7 == 6):
            scheduler.step()
    return rates


AVERAGES = {"immediate": (0.995, 0), "warm-up-5": (0.995, 5), "tau-0.6": (0.6, 0)}


def weights_of(k):
    return torch.cat([w.reshape(-1) for w in parameters(900 + 3 * k)])


def averaged(tau, warm_up):
    """The average after each step, with PyTorch's rule for one update."""
    average, after = weights_of(0), []
    for k in range(1, 31):
        n = k - 1 - warm_up
        if n < 0:
            average = weights_of(k)
        else:
            decay = min(tau, (1 + n) / (10 + n))
            average = get_ema_avg_fn(decay)(average, weights_of(k), n)
        after.append(average.clone())
    return after


def numbers(value):
    if isinstance(value, torch.Tensor):
        return value.reshape(-1).tolist()
    if isinstance(value, (list, dict)):
        entries = value.values() if isinstance(value, dict) else value
        return [number for entry in entries for number in numbers(entry)]
    return [value]


def apart(found, expected):
    pairs = list(zip(numbers(found), numbers(expected), strict=True))
    assert all(math.isfinite(a) for a, _ in pairs)
    return max(abs(a - b) for a, b in pairs)


def expected():
    return {
        "optimiser": {name: optimised(name) for name in OPTIMISERS},
        "schedule": {name: scheduled(name) for name in SCHEDULES},
        "ema": {name: averaged(*setting) for name, setting in AVERAGES.items()},
    }


def by_hand(module, kind):
    if kind == "optimiser":
        return {name: optimised_plainly(step) for name, step in module.OPTIMISERS.items()}
    if kind == "schedule":
        return {name: [rate(t) for t in range(70)] for name, rate in module.SCHEDULES.items()}
    weights = [weights_of(k) for k in range(31)]
    return {name: module.averages(weights, *setting) for name, setting in module.AVERAGES.items()}


def shown(kind, results):
    """What the fixture keeps of all results."""
    if kind == "optimiser":
        return {name: {"steps": stepwise(after)} for name, after in results.items()}
    if kind == "ema":
        return {name: kept(name, after) for name, after in results.items()}
    return results


def kept(name, after):
    tau, warm_up = AVERAGES[name]
    return {"tau": tau, "warm_up": warm_up, "values": [after[k - 1].tolist() for k in AFTER]}


def stepwise(after):
    steps = []
    for s, weights in enumerate(after):
        entry = {"digests": [formula.digest(w, 3000 + p) for p, w in enumerate(weights)]}
        if s in (0, STEPS - 1):
            entry["values"] = [w.reshape(-1).tolist() for w in weights]
        steps.append(entry)
    return steps


def main():
    version = {"torch": torch.__version__.split("+")[0]}
    heads = {"ema": {"after": list(AFTER)}}
    for kind, results in expected().items():
        fixture = shown(kind, results)
        head = {**version, **heads.get(kind, {})}
        formula.write(os.path.join(HERE, kind + ".json"), {**head, **fixture})
        same = apart(by_hand(plain(), kind), results)
        print(f"{kind}: plain arithmetic {same:.0e}")
        assert same < 1e-13
        for change, words in CHANGES[kind].items():
            by = apart(shown(kind, by_hand(plain(words), kind)), fixture)
            print(f"    {change}: {by:.0e}")
            assert by > 1e-7, f"{kind} does not show: {change}"


if __name__ == "__main__":
    main()
