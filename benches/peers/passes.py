"""Forward passes and input gradients in PyTorch eager f32: the peer of `resilience workload pass`.

    python benches/peers/passes.py --arch resnet18 --batch 64 --seconds 5

Random weights, random images, evaluation mode. The parameters keep requires_grad, as they are in a
network that was just loaded; `torch.autograd.grad` asks for the gradient of the images alone.
Prints one line of JSON.
"""

import argparse
import json
import os
import statistics
import time

import networks
import paper
import torch
import torch.nn.functional as F


def measure(model, images, labels, seconds):
    """Median seconds of a forward pass, and of one with the gradient of the images, in turn."""

    def forward():
        with torch.no_grad():
            model(images)

    def both():
        x = images.clone().requires_grad_(True)
        torch.autograd.grad(F.cross_entropy(model(x), labels, reduction="sum"), x)

    forward()
    both()
    times = [], []
    began = time.perf_counter()
    while not times[1] or time.perf_counter() - began < seconds:
        for work, taken in zip((forward, both), times):
            start = time.perf_counter()
            work()
            taken.append(time.perf_counter() - start)
    return [statistics.median(taken) for taken in times]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", choices=networks.NETWORKS, default="resnet18")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = networks.NETWORKS[arguments.arch]().eval()
    images, labels = torch.rand(arguments.batch, 3, 32, 32), torch.arange(arguments.batch) % 10
    forward, both = measure(model, images, labels, arguments.seconds)
    rates = {
        "images_per_second": arguments.batch / both,
        "forward_images_per_second": arguments.batch / forward,
    }
    print(json.dumps({**rates, "peak_mib": paper.peak_mib()}))


if __name__ == "__main__":
    main()
