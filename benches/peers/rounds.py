"""Ours and the peer alternately as whole processes, and what the paired rounds say."""

import collections
import json
import statistics
import subprocess
import sys

# As many images may be classified otherwise by kernels that sum in another order; a real
# difference of the work moves far more.
ROUNDING = 5


# A column of a table: its heading, what it shows of a row, and whether the ratio is of interest.
Column = collections.namedtuple("Column", "heading of ratio")
SPEED = Column("images/s", lambda row: row["images_per_second"], True)
MEMORY = Column("peak MiB", lambda row: row["peak_mib"], True)


def measure(name, command, needed=("images_per_second", "peak_mib")):
    """Runs one side once; its last line of standard output is its JSON."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{name} ended with status {done.returncode}: {' '.join(command)}")
    try:
        row = json.loads(done.stdout.strip().splitlines()[-1])
        return {**row, **{key: float(row[key]) for key in needed}}
    except (IndexError, ValueError, KeyError, TypeError) as error:
        wanted = f"a line of JSON with {' and '.join(needed)}"
        sys.exit(f"{name} did not print {wanted} ({error!r}): {' '.join(command)}")


def alternate(commands, rounds, note):
    """Rows per side, one a round; the order changes, so that drift favours none."""
    rows = {name: [] for name in commands}
    for number in range(rounds):
        order = list(commands) if number % 2 == 0 else list(reversed(commands))
        for name in order:
            row = measure(name, commands[name])
            rows[name].append(row)
            speed, memory = row["images_per_second"], row["peak_mib"]
            note(f"round {number + 1}/{rounds} {name}: {speed:.3g} images/s, {memory:.0f} MiB")
    return rows


def counts(rows, weaker=()):
    """The counts that the sides print, and whether they agree up to rounding in every round.

    Sides that do less by design are named in `weaker`: shown, and not held against the others.
    """
    keys = ("n", "clean", "adversarial")
    seen = {
        name: sorted({tuple((key, row[key]) for key in keys if key in row) for row in side})
        for name, side in rows.items()
    }
    every = [dict(row) for name, side in seen.items() if name not in weaker for row in side]
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
        digits = 4 if middle < 0.1 else 2
    if low == high:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(title, rows, columns=(SPEED, MEMORY)):
    """Medians with their range, and the ratios of each of ours to the peer (the last side), taken
    round by round."""
    headings = " | ".join(column.heading for column in columns)
    lines = [f"| {title} | {headings} |", "|---" * (len(columns) + 1) + "|"]
    for name, side in rows.items():
        cells = [spread([column.of(row) for row in side]) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    *ours, peer = rows
    for name in ours:
        pairs = list(zip(rows[name], rows[peer]))
        ratios = [
            spread([column.of(a) / column.of(b) for a, b in pairs], 2) if column.ratio else ""
            for column in columns
        ]
        which = f"ratio of {name}" if len(ours) > 1 else "ratio, round by round"
        lines.append(f"| {which} | **{ratios[0]}** | {' | '.join(ratios[1:])} |")
    return "\n".join(lines)


def forms(rows):
    """The forms in which our sides looked at the network, and how many images at once."""
    seen = {
        name: sorted({(row["view"], row["chunk"]) for row in side if "view" in row})
        for name, side in rows.items()
    }
    said = {
        name: " or ".join(f"{view} ({chunk} images at once)" for view, chunk in side)
        for name, side in seen.items()
    }
    return "; ".join(f"{name}: {text}" for name, text in said.items() if text)
