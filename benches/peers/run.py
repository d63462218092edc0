"""Compares resilience with the same work in PyTorch (paper.py) and prints Markdown.

    python run.py speed --binary target/release/resilience --data DIR --model M.toml --weights W.pt
    python run.py seeds OURS.jsonl PEERS.jsonl

`speed` needs torch 2.11 and numpy; `make bench` sees to them. Both sides run as whole processes, in
turn, on the same number of threads. `seeds` reads one line of counts per seed and side and needs
nothing but Python.
"""

import argparse
import datetime
import os
import pathlib
import platform
import subprocess
import sys

import rounds
import welch

HERE = pathlib.Path(__file__).resolve().parent
PAPER, AUTOATTACK = HERE / "paper.py", HERE / "autoattack.py"


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
        f" {arguments.rounds} rounds. Median (minimum–maximum)."
    )


def workloads(arguments):
    """Per workload the command of each side, ours first."""
    ours = [arguments.binary, "bench"]
    peer = [arguments.python, str(PAPER)]
    data = ["--data", arguments.data]
    threads = ["--threads", str(arguments.threads)]
    steps, n = ["--steps", str(arguments.steps)], ["--n", str(arguments.n)]
    weights = ["--weights", str(arguments.weights)]
    if not arguments.only_suites:
        yield f"fgsm-joint training, {arguments.steps} steps of 128", {
            "resilience": [*ours, "train", *data, *steps, *threads],
            "PyTorch eager": [*peer, "bench-train", *data, *steps, *threads],
        }
    if arguments.model and arguments.weights and not arguments.only_suites:
        yield f"FGSM eps 0.1 on ResNet-32, {arguments.n} images", {
            "resilience": [*ours, "fgsm", *data, "--model", arguments.model, *n, *threads],
            "PyTorch eager": [*peer, "bench-fgsm", *data, *weights, *n, *threads],
        }
    for model, weights in arguments.suite:
        suite_n = ["--n", str(arguments.suite_n)]
        attacks = ["--eps", "8/255", *suite_n, *threads]
        reference = [arguments.python, str(AUTOATTACK), "--autoattack", arguments.autoattack]
        title = f"AutoAttack standard, linf 8/255, {pathlib.Path(weights).stem}"
        yield f"{title}, {arguments.suite_n} images", {
            "resilience": [*ours, "suite", *data, "--model", model, *attacks],
            "fra31/auto-attack": [*reference, *data, "--weights", weights, *attacks],
        }


def speed(arguments):
    # libtorch reads these on both sides; a user's own setting must not favour one.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(arguments.threads)
    tables, disagreements = [], []
    for title, commands in workloads(arguments):
        note(title)
        rows = rounds.alternate(commands, arguments.rounds, note)
        tables.append(rounds.table(title, rows))
        counts, agree = rounds.counts(rows)
        if counts:
            tables[-1] += f"\n\n{'The sides agree' if agree else 'The sides DISAGREE'}: {counts}."
        if not agree:
            disagreements.append(title)
    print("\n\n".join([provenance(arguments), *tables]))
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
    one.add_argument("--autoattack", help="a checkout of fra31/auto-attack, for --suite")
    one.add_argument(
        "--suite",
        nargs=2,
        action="append",
        default=[],
        metavar=("MANIFEST", "WEIGHTS"),
        help="a ResNet-32 to run AutoAttack on, as a manifest for ours and a checkpoint for PyTorch",
    )
    one.add_argument("--suite-n", type=int, default=100, help="images for --suite")
    one.add_argument("--only-suites", action="store_true", help="leave the other workloads out")
    one.add_argument("--rounds", type=positive, default=5)
    one.add_argument("--steps", type=positive, default=60)
    one.add_argument("--n", type=positive, default=10000)
    one.add_argument("--threads", type=positive, default=os.cpu_count())
    two = commands.add_parser("seeds", help="difference of means of every metric over seeds")
    two.add_argument("ours")
    two.add_argument("peer")
    arguments = parser.parse_args()
    if arguments.command == "speed" and arguments.suite and not arguments.autoattack:
        parser.error("--suite needs --autoattack, the path of a checkout of fra31/auto-attack")
    if arguments.command == "speed":
        speed(arguments)
    else:
        print(welch.table(arguments.ours, arguments.peer))


if __name__ == "__main__":
    main()
