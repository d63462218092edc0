"""The reference AutoAttack (fra31/auto-attack): the peer of `resilience workload suite`.

    python benches/peers/autoattack.py --autoattack CLONE --data DIR --weights resnet2b.pth \
        --eps 2/255 --n 100

The weights are those of a ResNet-32 or a ResNet-2B. CLONE is a checkout of the reference, which is
used as it is: version `standard` (APGD-CE, targeted APGD, targeted FAB, Square with their own
budgets), seed 0, batches of 250. Prints one line of JSON.
"""

import argparse
import contextlib
import json
import os
import sys
import time

import networks
import paper
import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--autoattack", required=True, help="a checkout of fra31/auto-attack")
    parser.add_argument("--data", required=True, help="folder of CIFAR-10's binary version")
    parser.add_argument("--weights", required=True, help="a ResNet-32 or ResNet-2B checkpoint")
    parser.add_argument("--norm", choices=["linf", "l2", "l1"], default="linf")
    parser.add_argument("--eps", default="8/255")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    sys.path.insert(0, arguments.autoattack)
    from autoattack import AutoAttack

    images, labels = paper.load_cifar10(arguments.data, train=False)
    x, y = images[: arguments.n].float() / 255, labels[: arguments.n]
    model = networks.load(arguments.weights)
    top, _, bottom = arguments.eps.partition("/")
    eps = float(top) / float(bottom or 1)
    norm = {"linf": "Linf", "l2": "L2", "l1": "L1"}[arguments.norm]
    attack = AutoAttack(
        model, norm=norm, eps=eps, version="standard", seed=0, device="cpu", verbose=False
    )
    with torch.no_grad():
        clean = int((model(x).argmax(1) == y).sum())
    began = time.perf_counter()
    # It prints its progress; standard output is for the figures alone.
    with contextlib.redirect_stdout(sys.stderr):
        adversarial = attack.run_standard_evaluation(x, y, bs=250)
    seconds = time.perf_counter() - began
    with torch.no_grad():
        robust = int((model(adversarial).argmax(1) == y).sum())
    figures = {"images_per_second": len(y) / seconds, "seconds": seconds}
    counts = {"clean": clean, "adversarial": robust, "n": len(y)}
    print(json.dumps({**figures, "peak_mib": paper.peak_mib(), **counts}))


if __name__ == "__main__":
    main()
