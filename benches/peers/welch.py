"""Welch's interval for the difference of two means, with a Student quantile of our own."""

import json
import math
import statistics
import sys


def incomplete_beta(a, b, x):
    """I_x(a, b), regularised, by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # The fraction converges fast on the other side.
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    tiny = 1e-300
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), tiny)
    fraction = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 + term * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + term / c
            c = c if abs(c) > tiny else tiny
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return front * fraction / a


def student_quantile(p, freedom):
    """The t for which P(T <= t) = p, for p of at least 0.5, by bisection."""

    def tail(t):
        return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2

    low, high = 0.0, 1.0
    while tail(high) > 1 - p:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle) > 1 - p else (low, middle)
    return (low + high) / 2


def difference(ours, peer, confidence=0.95):
    """mean(ours) - mean(peer) and half the width of its interval (Welch 1947)."""
    gap = statistics.mean(ours) - statistics.mean(peer)
    a, b = (statistics.variance(side) / len(side) for side in (ours, peer))
    if a + b == 0:
        return gap, 0.0
    freedom = (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(peer) - 1))
    return gap, student_quantile((1 + confidence) / 2, freedom) * math.sqrt(a + b)


METRICS = {
    "clean": "clean accuracy",
    "adversarial_true": "adversarial accuracy, true labels",
    "unchanged_true": "robustness score, true labels",
    "adversarial_predicted": "adversarial accuracy, predicted labels",
    "unchanged_predicted": "robustness score, predicted labels",
}


def read(path):
    """Rows of counts, one a seed; a metric that a row lacks or a count above n is an error."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                lacking = [key for key in ("n", *METRICS) if not isinstance(row[key], int)]
                beyond = [key for key in METRICS if not 0 <= row[key] <= row["n"]]
            except (ValueError, KeyError, TypeError) as error:
                sys.exit(f"{path}:{number}: expected JSON with n and the five counts: {error!r}")
            if lacking or beyond:
                sys.exit(f"{path}:{number}: not a count out of n: {', '.join(lacking + beyond)}")
            rows.append(row)
    if len(rows) < 2:
        sys.exit(f"{path}: {len(rows)} seeds, and an interval needs two")
    recipes = {row.get("recipe") for row in rows}
    if len(recipes) > 1:
        sys.exit(f"{path}: mixes recipes: {', '.join(map(str, recipes))}")
    return rows


def table(ours_path, peer_path):
    """Means, standard deviations and differences in percentage points as Markdown."""
    ours, peer = read(ours_path), read(peer_path)
    lines = [
        f"| metric, % | ours, mean ± sd ({len(ours)} seeds)"
        f" | PyTorch, mean ± sd ({len(peer)} seeds)"
        " | difference, points | its 95 % interval |",
        "|---|---|---|---|---|",
    ]
    for key, name in METRICS.items():
        sides = [[100 * row[key] / row["n"] for row in rows] for rows in (ours, peer)]
        gap, half = difference(*sides)
        cells = [f"{statistics.mean(side):.2f} ± {statistics.stdev(side):.2f}" for side in sides]
        interval = f"[{gap - half:+.2f}, {gap + half:+.2f}]"
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {gap:+.2f} | {interval} |")
    return "\n".join(lines)
