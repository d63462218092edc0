"""Twenty float64 training steps of ResilienceCNN in PyTorch, for each recipe.

    python generate.py        (PyTorch 2.11; writes standard.json and fgsm-joint.json beside it)

Inputs, with the formulas of ../formula.py:

- Initial parameters, in the order p = 0..7 of conv1.weight [32,3,3,3], conv1.bias [32],
  conv2.weight [64,32,3,3], conv2.bias [64], fc1.weight [128,4096], fc1.bias [128],
  fc2.weight [10,128], fc2.bias [10]:
  element i = signed(p, i) * bound, bound = 1 / sqrt(fan_in) in float64, fan_in = 27, 27, 288, 288,
  4096, 4096, 128, 128 (that of the layer, for its bias too).
- Step s = 0..19: images [16,3,32,32], element i = byte(1000 + s, i) / 255 in float64;
  labels [16], label(2000 + s, i).

The network: conv 3x3 padding 1, ReLU, max pool 2x2, the same again, flatten in (channel, row,
column) order, fully connected, ReLU, fully connected. The step: Adam, learning rate 1e-3, betas 0.9
and 0.999, epsilon 1e-8, no weight decay, on

- standard: mean cross-entropy;
- fgsm-joint: mean cross-entropy of the images plus that of x' = clamp(x + 0.1 sign(g), 0, 1), where
  g is the gradient of the former with respect to the images at the same weights, x' a constant.

Fixture: `steps`, one entry a step with the losses before the update (`clean`, and `adversarial` for
fgsm-joint); `parameters`, by name: sum, Euclidean norm, projection = sum of element i times
signed(3000 + p, i), and the first eight elements, after 20 steps.

The generator runs each recipe twice, the second time in another order of summation (batch reversed,
channels-last, one thread), and prints how far the two are apart: what is due to rounding alone.
"""

import os
import sys

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

STEPS, BATCH, EPS = 20, 16, 0.1
SHAPES = [
    ("conv1.weight", (32, 3, 3, 3), 27),
    ("conv1.bias", (32,), 27),
    ("conv2.weight", (64, 32, 3, 3), 288),
    ("conv2.bias", (64,), 288),
    ("fc1.weight", (128, 4096), 4096),
    ("fc1.bias", (128,), 4096),
    ("fc2.weight", (10, 128), 128),
    ("fc2.bias", (10,), 128),
]


def initial():
    return [
        (formula.signed(p, shape) * (1 / fan_in**0.5)).requires_grad_()
        for p, (_, shape, fan_in) in enumerate(SHAPES)
    ]


def logits(parameters, x):
    w1, b1, w2, b2, w3, b3, w4, b4 = parameters
    x = F.max_pool2d(torch.relu(F.conv2d(x, w1, b1, padding=1)), 2)
    x = F.max_pool2d(torch.relu(F.conv2d(x, w2, b2, padding=1)), 2)
    return F.linear(torch.relu(F.linear(x.flatten(1), w3, b3)), w4, b4)


def batch(step, variant):
    x = formula.byte(1000 + step, (BATCH, 3, 32, 32)).double() / 255
    y = formula.label(2000 + step, BATCH)
    if variant:
        x, y = x.flip(0).contiguous(memory_format=torch.channels_last), y.flip(0)
    return x, y


def run(recipe, variant):
    torch.set_num_threads(1 if variant else 2)
    parameters = initial()
    optimiser = torch.optim.Adam(parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, foreach=False)
    steps = []
    for step in range(STEPS):
        x, y = batch(step, variant)
        optimiser.zero_grad()
        loss = F.cross_entropy(logits(parameters, x), y)
        losses = {"clean": loss.item()}
        if recipe == "fgsm-joint":
            image = x.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(F.cross_entropy(logits(parameters, image), y), image)
            adversarial = (x + EPS * gradient.sign()).clamp(0, 1)
            second = F.cross_entropy(logits(parameters, adversarial), y)
            losses["adversarial"] = second.item()
            loss = loss + second
        loss.backward()
        optimiser.step()
        steps.append(losses)
    return parameters, steps


def main():
    for recipe in ("standard", "fgsm-joint"):
        parameters, steps = run(recipe, variant=False)
        others, other_steps = run(recipe, variant=True)
        apart = max((a - b).abs().max().item() for a, b in zip(parameters, others))
        apart_loss = max(abs(a[k] - b[k]) for a, b in zip(steps, other_steps) for k in a)
        print(f"{recipe}: rounding alone: parameters {apart:.2e}, losses {apart_loss:.2e}")
        digests = {
            name: formula.digest(parameters[p], 3000 + p) for p, (name, _, _) in enumerate(SHAPES)
        }
        fixture = {"torch": torch.__version__.split("+")[0], "steps": steps, "parameters": digests}
        formula.write(os.path.join(HERE, f"{recipe}.json"), fixture)


if __name__ == "__main__":
    main()
