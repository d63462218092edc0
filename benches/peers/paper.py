"""The paper's experiment in PyTorch eager mode: the peer that resilience is measured against.

    python benches/peers/paper.py train --data DIR --seeds 0 1 2 3 4 --out peers.jsonl
    python benches/peers/paper.py bench-train --data DIR --steps 100
    python benches/peers/paper.py bench-fgsm --data DIR --weights resnet32.pt

DIR holds the binary version of CIFAR-10 (data_batch_1.bin .. test_batch.bin). The data lie in
memory, and a batch is augmented at once, so that neither side of a comparison pays for a loader.
FGSM is done as torchattacks does it: a forward pass of its own and `torch.autograd.grad` of the
mean cross-entropy with respect to the images.
"""

import argparse
import json
import math
import os
import resource
import sys
import time

import networks
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

EPS = 0.1


def load_cifar10(folder, train):
    """Images as uint8 [n,3,32,32] and labels as int64 [n]."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if train else ["test_batch.bin"]
    records = np.concatenate(
        [np.fromfile(os.path.join(folder, n), dtype=np.uint8).reshape(-1, 3073) for n in names]
    )
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy())
    return images, torch.from_numpy(records[:, 0].astype(np.int64))


class ResilienceCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * 8 * 8, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(torch.flatten(x, 1))))


def augment(images):
    """Random horizontal flip and rotation in +-15 degrees, nearest neighbour, zero border."""
    n = len(images)
    angle = (torch.rand(n) * 2 - 1) * (15 * math.pi / 180)
    flip = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = flip * angle.cos(), flip * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = -angle.sin(), angle.cos()
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)


def fgsm(model, images, labels, eps=EPS):
    images = images.clone().detach().requires_grad_(True)
    loss = F.cross_entropy(model(images), labels)
    (gradient,) = torch.autograd.grad(loss, images)
    return (images + eps * gradient.sign()).clamp(0, 1).detach()


def train_step(model, optimiser, images, labels, recipe):
    if recipe == "standard":
        loss = F.cross_entropy(model(images), labels)
    else:
        adversarial = fgsm(model, images, labels)
        loss = F.cross_entropy(model(images), labels) + F.cross_entropy(model(adversarial), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


def evaluate(model, images, labels, batch=250):
    """Counts of correct and unchanged predictions, with true and with predicted labels."""
    counts = {"n": len(labels), "clean": 0}
    for kind in ("true", "predicted"):
        counts[f"adversarial_{kind}"] = counts[f"unchanged_{kind}"] = 0
    for start in range(0, len(labels), batch):
        x, y = images[start : start + batch].float() / 255, labels[start : start + batch]
        with torch.no_grad():
            predicted = model(x).argmax(1)
        counts["clean"] += int((predicted == y).sum())
        for kind, target in (("true", y), ("predicted", predicted)):
            adversarial = fgsm(model, x, target)
            with torch.no_grad():
                after = model(adversarial).argmax(1)
            counts[f"adversarial_{kind}"] += int((after == y).sum())
            counts[f"unchanged_{kind}"] += int((after == predicted).sum())
    return counts


def train(arguments):
    images, labels = load_cifar10(arguments.data, train=True)
    test = load_cifar10(arguments.data, train=False)
    for seed in arguments.seeds:
        torch.manual_seed(seed)
        model = ResilienceCNN()
        optimiser = torch.optim.Adam(model.parameters(), lr=0.001)
        began = time.time()
        for _ in range(arguments.epochs):
            order = torch.randperm(len(labels))
            for start in range(0, len(labels), 128):
                rows = order[start : start + 128]
                x = augment(images[rows].float() / 255)
                train_step(model, optimiser, x, labels[rows], arguments.recipe)
        seconds = time.time() - began
        model.eval()
        row = {"recipe": arguments.recipe, "seed": seed, "epochs": arguments.epochs}
        row |= {"seconds": round(seconds, 1), **evaluate(model, *test)}
        line = json.dumps(row)
        print(line, flush=True)
        if arguments.out:
            with open(arguments.out, "a", encoding="utf-8") as file:
                file.write(line + "\n")


def peak_mib():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, else KiB


def bench_train(arguments):
    """Images per second of the whole training step, augmentation included."""
    images, labels = load_cifar10(arguments.data, train=True)
    torch.manual_seed(0)
    model = ResilienceCNN()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.001)

    def run(steps):
        began = time.perf_counter()
        for _ in range(steps):
            rows = torch.randint(len(labels), (128,))
            x = augment(images[rows].float() / 255)
            train_step(model, optimiser, x, labels[rows], arguments.recipe)
        return steps * 128 / (time.perf_counter() - began)

    run(10)
    print(json.dumps({"images_per_second": run(arguments.steps), "peak_mib": peak_mib()}))


def bench_fgsm(arguments):
    """Images per second of FGSM and the prediction on its examples, parameters as loaded."""
    images, labels = load_cifar10(arguments.data, train=False)
    images, labels = images[: arguments.n], labels[: arguments.n]
    model = networks.load(arguments.weights)
    fgsm(model, images[:250].float() / 255, labels[:250])
    began = time.perf_counter()
    clean = adversarial = 0
    for start in range(0, len(labels), 250):
        x, y = images[start : start + 250].float() / 255, labels[start : start + 250]
        with torch.no_grad():
            clean += int((model(x).argmax(1) == y).sum())
        x = fgsm(model, x, y)
        with torch.no_grad():
            adversarial += int((model(x).argmax(1) == y).sum())
    rate = len(labels) / (time.perf_counter() - began)
    counts = {"clean": clean, "adversarial": adversarial, "n": len(labels)}
    print(json.dumps({"images_per_second": rate, "peak_mib": peak_mib(), **counts}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["train", "bench-train", "bench-fgsm"])
    parser.add_argument("--data", required=True)
    parser.add_argument("--recipe", choices=["fgsm-joint", "standard"], default="fgsm-joint")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--n", type=int, default=10000)
    parser.add_argument("--weights")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    run = {"train": train, "bench-train": bench_train, "bench-fgsm": bench_fgsm}
    run[arguments.command](arguments)


if __name__ == "__main__":
    main()
