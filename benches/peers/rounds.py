"""Ours and the peer alternately as whole processes, and what the paired rounds say."""

import json
import statistics
import subprocess
import sys

# As many images may be classified otherwise by kernels that sum in another order; a real
# difference of the work moves far more.
ROUNDING = 5


def measure(name, command):
    """Runs one side once; its last line of standard output is its JSON."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{name} ended with status {done.returncode}: {' '.join(command)}")
    try:
        row = json.loads(done.stdout.strip().splitlines()[-1])
        return {**row, **{key: float(row[key]) for key in ("images_per_second", "peak_mib")}}
    except (IndexError, ValueError, KeyError, TypeError) as error:
        wanted = "a line of JSON with images_per_second and peak_mib"
        sys.exit(f"{name} did not print {wanted} ({error!r}): {' '.join(command)}")


def alternate(commands, rounds, note):
    """Rows per side, a pair a round; who goes first changes, so that drift favours none."""
    rows = {name: [] for name in commands}
    for number in range(rounds):
        order = list(commands) if number % 2 == 0 else list(reversed(commands))
        for name in order:
            row = measure(name, commands[name])
            rows[name].append(row)
            speed, memory = row["images_per_second"], row["peak_mib"]
            note(f"round {number + 1}/{rounds} {name}: {speed:.3g} images/s, {memory:.0f} MiB")
    return rows


def counts(rows):
    """The counts that both sides print, and whether they agree up to rounding in every round."""
    keys = ("n", "clean", "adversarial")
    seen = {
        name: sorted({tuple((key, row[key]) for key in keys if key in row) for row in side})
        for name, side in rows.items()
    }
    every = [dict(row) for side in seen.values() for row in side]
    agree = all(row.keys() == every[0].keys() for row in every) and all(
        max(row[key] for row in every) - min(row[key] for row in every) <= (key != "n") * ROUNDING
        for key in every[0]
    )
    text = {
        name: " or ".join(", ".join(f"{key} {count}" for key, count in row) for row in side)
        for name, side in seen.items()
    }
    if not any(text.values()):
        return "", agree
    return "; ".join(f"{name}: {side}" for name, side in text.items()), agree


def spread(values, digits=0):
    low, middle, high = min(values), statistics.median(values), max(values)
    if middle < 10:
        digits = max(digits, 2)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(title, rows):
    """Medians with their range, and the ratio ours to peer taken round by round."""
    lines = [f"| {title} | images/s | peak MiB |", "|---|---|---|"]
    for name, side in rows.items():
        speed = spread([row["images_per_second"] for row in side])
        lines.append(f"| {name} | {speed} | {spread([row['peak_mib'] for row in side])} |")
    ours, peer = rows.values()
    ratios = [
        [a[key] / b[key] for a, b in zip(ours, peer)] for key in ("images_per_second", "peak_mib")
    ]
    lines.append(f"| ratio, round by round | **{spread(ratios[0], 2)}** | {spread(ratios[1], 2)} |")
    return "\n".join(lines)
