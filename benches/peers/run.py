"""Compares resilience with the same work in PyTorch and prints Markdown.

    python run.py speed --binary target/release/resilience --data DIR --model M.toml --weights W.pt
    python run.py speed ... --only suites --autoattack CLONE --suite M.toml W.pt 8/255
    python run.py seeds OURS.jsonl PEERS.jsonl

`speed` needs torch 2.11 and numpy; `make bench` sees to them. It measures, in this order: passes
(the machine's products; forward passes and input gradients, beside passes.py), training and FGSM
(paper.py), and suites of attacks (autoattack.py), where --autoattack says where the reference is.
All sides run as whole processes, in turn, on the same number of threads. `seeds` reads one line of
counts per seed and side and needs nothing but Python.
"""

import argparse
import dataclasses
import datetime
import os
import pathlib
import platform
import statistics
import subprocess
import sys

import rounds
import welch

HERE = pathlib.Path(__file__).resolve().parent
KINDS = ["passes", "training", "fgsm", "suites"]
PASSES = [("resnet18", 64), ("resnet32", 128), ("resnet32", 32), ("resnet2b", 128)]
QUICK = "resilience, quick"
COUNTED = (
    "GFLOP are counted in textbook sums: two operations for each multiplication of a convolution or"
    " fully connected layer, as many again for the input gradient. Our own kernels (the compiled"
    " form) need a quarter of the multiplications in 3x3 convolutions (Winograd), so that their"
    " share of a ceiling can pass 100 %."
)


@dataclasses.dataclass
class Workload:
    """The same work as a command per side, the peer's last."""

    title: str
    commands: dict
    rounds: int
    weaker: tuple = ()


def note(text):
    print(text, file=sys.stderr, flush=True)


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        line = next(line for line in lines if line.startswith("model name"))
        return line.split(":", 1)[1].strip()
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def provenance(arguments):
    ask_peer = [arguments.python, "-c", "import torch; print(torch.__version__)"]
    peer = subprocess.run(ask_peer, stdout=subprocess.PIPE, text=True)
    ours = subprocess.run([arguments.binary, "--version"], stdout=subprocess.PIPE, text=True)
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{today}; {processor()}, {os.cpu_count()} logical cores, {platform.system()}"
        f" {platform.release()}; {arguments.threads} threads a side;"
        f" {ours.stdout.strip() or 'resilience'}; PyTorch {peer.stdout.strip()};"
        f" rounds: {arguments.rounds}, of suites {arguments.suite_rounds}."
        " Median (minimum–maximum)."
    )


def passes(arguments):
    seconds = ["--seconds", str(arguments.seconds), "--threads", str(arguments.threads)]
    for network, batch in PASSES:
        work = ["--arch", network, "--batch", str(batch), *seconds]
        title = f"{network}, forward + input gradient, batch {batch}"
        commands = {
            "resilience": [arguments.binary, "workload", "pass", *work],
            "PyTorch eager": [arguments.python, str(HERE / "passes.py"), *work],
        }
        yield Workload(title, commands, arguments.rounds)


def paper(arguments):
    """The paper's training and attack."""
    ours = [arguments.binary, "workload"]
    peer = [arguments.python, str(HERE / "paper.py")]
    common = ["--data", arguments.data, "--threads", str(arguments.threads)]
    steps, n = ["--steps", str(arguments.steps)], ["--n", str(arguments.n)]
    if "training" in arguments.only:
        title = f"fgsm-joint training, {arguments.steps} steps of 128"
        commands = {
            "resilience": [*ours, "train", *steps, *common],
            "PyTorch eager": [*peer, "bench-train", *steps, *common],
        }
        yield Workload(title, commands, arguments.rounds)
    if "fgsm" in arguments.only and arguments.model and arguments.weights:
        title = f"FGSM eps 0.1 on ResNet-32, {arguments.n} images"
        weights = ["--weights", arguments.weights]
        commands = {
            "resilience": [*ours, "fgsm", "--model", arguments.model, *n, *common],
            "PyTorch eager": [*peer, "bench-fgsm", *weights, *n, *common],
        }
        yield Workload(title, commands, arguments.rounds)


def suites(arguments):
    """One run of the reference's standard suite beside ours, and beside `quick`."""
    n = arguments.suite_n
    for model, weights, eps in arguments.suite:
        work = ["--eps", eps, "--n", str(n), "--data", arguments.data]
        work += ["--threads", str(arguments.threads)]
        ours = [arguments.binary, "workload", "suite", "--model", model, *work]
        peer = [arguments.python, str(HERE / "autoattack.py")]
        peer += ["--autoattack", arguments.autoattack, "--weights", weights]
        commands = {
            "resilience, autoattack-standard": [*ours, "--suite", "autoattack-standard"],
            QUICK: [*ours, "--suite", "quick"],
            "fra31/auto-attack, standard": [*peer, *work],
        }
        title = f"AutoAttack, linf {eps}, {pathlib.Path(weights).stem}, {n} images"
        yield Workload(title, commands, arguments.suite_rounds, weaker=(QUICK,))


def ceilings(arguments):
    """GFLOP/s of libtorch's products in f32 and in bf16, and their table."""
    command = [arguments.binary, "workload", "ceiling", "--threads", str(arguments.threads)]
    kinds = ("f32", "bf16")
    keys = [f"{kind}_gflops" for kind in kinds]
    rows = [rounds.measure("resilience", command, keys) for _ in range(arguments.rounds)]
    lines = ["| products of square matrices in libtorch | GFLOP/s |", "|---|---|"]
    for kind, key in zip(kinds, keys):
        sides = " or ".join(sorted({str(row[f"{kind}_side"]) for row in rows}))
        lines.append(f"| {kind}, side {sides} | {rounds.spread([row[key] for row in rows])} |")
    return [statistics.median([row[key] for row in rows]) for key in keys], "\n".join(lines)


def pass_columns(single, half):
    """What is shown of passes, with the ceilings in f32 and bf16 to hold it against."""

    def gflop(row):
        return 2 * row["flops"] / 1e9

    def gflops(row):
        return gflop(row) * row["images_per_second"]

    yield rounds.SPEED
    forward = "forward alone, images/s"
    yield rounds.Column(forward, lambda row: row["forward_images_per_second"], True)
    yield rounds.Column("GFLOP an image", gflop, False)
    yield rounds.Column("GFLOP/s", gflops, False)
    yield rounds.Column("% of f32's ceiling", lambda row: 100 * gflops(row) / single, False)
    if half > single:
        yield rounds.Column("% of bf16's ceiling", lambda row: 100 * gflops(row) / half, False)
    yield rounds.MEMORY


def compare(work, columns=(rounds.SPEED, rounds.MEMORY)):
    """Prints the table of one workload; whether the sides found the same."""
    note(work.title)
    rows = rounds.alternate(work.commands, work.rounds, note)
    ours, *_, peer = rows.values()
    if "flops" in ours[0]:  # The same work: the peer need not count it.
        peer[:] = [{**row, "flops": ours[0]["flops"]} for row in peer]
    lines = [rounds.table(work.title, rows, columns)]
    forms = rounds.forms(rows)
    if forms:
        lines.append(f"Form of the network: {forms}.")
    counts, agree = rounds.counts(rows, work.weaker)
    if counts:
        lines.append(f"{'The sides agree' if agree else 'The sides DISAGREE'}: {counts}.")
        if work.weaker:
            lines[-1] += f" {', '.join(work.weaker)} attacks less and may leave more."
    show("\n\n".join(lines))
    return agree


def show(text):
    print(text + "\n", flush=True)


def speed(arguments):
    # libtorch reads these on both sides; a user's own setting must not favour one.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)
    disagreements = []
    show(provenance(arguments))
    if "passes" in arguments.only:
        note("the machine's products")
        found, text = ceilings(arguments)
        show(text)
        columns = list(pass_columns(*found))
        for work in passes(arguments):
            compare(work, columns)
        show(COUNTED)
    others = list(paper(arguments))
    if "suites" in arguments.only and arguments.autoattack:
        others += suites(arguments)
    elif "suites" in arguments.only:
        note("suites of attacks are left out: --autoattack says where fra31/auto-attack is")
    for work in others:
        if not compare(work):
            disagreements.append(work.title)
    if disagreements:
        sys.exit(f"the sides differ, so their ratio says nothing: {'; '.join(disagreements)}")


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("speed", help="images per second and peak memory of both sides")
    one.add_argument("--binary", required=True, help="the resilience binary")
    one.add_argument("--python", default=sys.executable, help="a Python with torch 2.11 and numpy")
    one.add_argument("--data", required=True, help="folder of the binary version of CIFAR-10")
    one.add_argument("--model", help="manifest of a ResNet-32, for ours")
    one.add_argument("--weights", help="the same ResNet-32's checkpoint, for PyTorch")
    one.add_argument("--autoattack", help="a checkout of fra31/auto-attack; without it, no suites")
    one.add_argument(
        "--suite",
        nargs=3,
        action="append",
        default=[],
        metavar=("MODEL", "WEIGHTS", "EPS"),
        help="a ResNet-32 or ResNet-2B to attack within linf EPS, as a known name or a manifest for"
        " ours and a checkpoint for PyTorch; may be repeated",
    )
    one.add_argument("--suite-n", type=positive, default=100, help="images for suites")
    one.add_argument("--suite-rounds", type=positive, default=1, help="rounds of suites")
    one.add_argument(
        "--only", action="append", choices=KINDS, help="leave the others out; may be repeated"
    )
    one.add_argument("--rounds", type=positive, default=5, help="rounds of everything else")
    one.add_argument("--seconds", type=float, default=5, help="of passes, each time")
    one.add_argument("--steps", type=positive, default=60, help="training steps")
    one.add_argument("--n", type=positive, default=10000, help="images for FGSM")
    one.add_argument("--threads", type=positive, default=os.cpu_count())
    two = commands.add_parser("seeds", help="difference of means of every metric over seeds")
    two.add_argument("ours")
    two.add_argument("peer")
    arguments = parser.parse_args()
    if arguments.command == "speed":
        arguments.only = arguments.only or KINDS
        speed(arguments)
    else:
        print(welch.table(arguments.ours, arguments.peer))


if __name__ == "__main__":
    main()
