"""The rules in plain arithmetic; the head of generate.py says what each does.

generate.py checks that they are PyTorch's, and then that the fixtures show a few words changed.
"""

import math


def sgd(rate, momentum=0.0, nesterov=False, decay=0.0):
    """The step of one parameter: weights, gradient, state, step number -> weights."""

    def step(p, g, state, s):
        g = g + decay * p
        if momentum:
            state["b"] = g if s == 0 else momentum * state["b"] + g
            g = g + momentum * state["b"] if nesterov else state["b"]
        return p - rate(s) * g

    return step


def adam(rate, decay=0.0, decoupled=0.0):
    def step(p, g, state, s):
        p = p - rate(s) * decoupled * p
        g = g + decay * p
        state["m"] = 0.9 * state.get("m", 0) + (1 - 0.9) * g
        state["v"] = 0.999 * state.get("v", 0) + (1 - 0.999) * g * g
        m = state["m"] / (1 - 0.9 ** (s + 1))
        v = state["v"] / (1 - 0.999 ** (s + 1))
        return p - rate(s) * m / (v.sqrt() + 1e-8)

    return step


def tenth(s):
    return 0.1


def harmonic(s):
    return 0.1 / (s + 1)


def thousandth(s):
    return 1e-3


OPTIMISERS = {
    "sgd": sgd(tenth),
    "sgd-momentum": sgd(tenth, momentum=0.9),
    "sgd-nesterov-decay": sgd(tenth, momentum=0.9, nesterov=True, decay=5e-4),
    "sgd-momentum-rates": sgd(harmonic, momentum=0.90),
    "adam": adam(thousandth),
    "adam-decay": adam(thousandth, decay=5e-4),
    "adamw": adam(thousandth, decoupled=0.01),
}


EPOCHS, PER_EPOCH, PEAK = 10, 7, 0.2
TOTAL = EPOCHS * PER_EPOCH


def constant(t):
    return PEAK


def piecewise(t):
    return PEAK * 0.1 ** sum(t // PER_EPOCH >= epoch for epoch in (5, 8))


def cosine(t):
    return PEAK / 2 * (1 + math.cos(math.pi * t / TOTAL))


def cyclic(t):
    return PEAK * (1 - abs(t / (TOTAL / 2) - 1))


def one_cycle(share):
    def rate(t):
        low, high, end = PEAK / 25, PEAK, share * TOTAL - 1
        if t > end:
            low, high = high, low / 1e4
            u = (t - end) / (TOTAL - 1 - end)
        else:
            u = t / end
        return high + (low - high) / 2 * (1 + math.cos(math.pi * u))

    return rate


SCHEDULES = {
    "constant": constant,
    "piecewise": piecewise,
    "cosine": cosine,
    "cyclic": cyclic,
    "one-cycle-0.025": one_cycle(0.025),
    "one-cycle-0.3": one_cycle(0.3),
}


def decay_of(k, tau, warm_up):
    """How much of the average stays in the update after step k."""
    n = k - 1 - warm_up
    return 0.0 if n < 0 else min(tau, (1 + n) / (10 + n))


def averages(weights, tau, warm_up):
    """The average after each step, from the weights before the first one and after each."""
    average, after = weights[0], []
    for k, w in enumerate(weights[1:], 1):
        decay = decay_of(k, tau, warm_up)
        average = decay * average + (1 - decay) * w
        after.append(average)
    return after


AVERAGES = {"immediate": (0.995, 0), "warm-up-5": (0.995, 5), "tau-0.6": (0.6, 0)}
