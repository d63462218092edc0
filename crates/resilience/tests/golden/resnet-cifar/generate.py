"""The CIFAR ResNet-20 with shortcut option A (He et al. 2016, section 4.2), in float64.

    python generate.py        (PyTorch 2.11; writes resnet20.json beside it)

Inputs, with the formulas of ../formula.py. Parameters and statistics in the order p = 0, 1, … of
the fixture's list `tensors` (which is that of the usual state dict, without the counters
num_batches_tracked): element i of

- a convolution's weight: signed(5000 + p, i) * sqrt(6 / fan_in), the root in float64;
- bnX.weight: 0.5 + unit(5000 + p, i);       bnX.bias: 0.4 * unit(5000 + p, i) - 0.2;
- bnX.running_mean: as bnX.bias;             bnX.running_var: 0.5 + unit(5000 + p, i);
- linear.weight: signed(5000 + p, i) / 64;   linear.bias: signed(5000 + p, i) / 8.

Images [2,3,32,32] = byte(6000, i) / 255; labels [2] = label(6001, i). The network normalises with
mean 0.485, 0.456, 0.406 and std 0.229, 0.224, 0.225; batch norm uses the running statistics, with
epsilon 1e-5.

Architecture: conv 3x3 (3 -> 16), bn, ReLU; three stages of three blocks with 16, 32, 64 channels,
the first block of stages 2 and 3 with stride 2; mean over the pixels; linear. A block:
relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)); conv1 has the stride, all convolutions 3x3,
padding 1, without bias. The shortcut is x itself, or, where the stage changes, every second row and
column of x, beginning with the first, with zero channels added in equal numbers before and after.

Fixture: `tensors` (names and shapes), `logits` [2, 10], `loss` (mean cross-entropy), `gradient` of
the loss with respect to the images before normalisation: its sum, Euclidean norm, product with
signed(6002, i) and first eight elements.
"""

import os
import sys

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

BLOCKS = 3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def names():
    """Names and shapes in the order of the state dict."""

    def norm(name, width):
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{name}.{part}", [width]

    yield "conv1.weight", [16, 3, 3, 3]
    yield from norm("bn1", 16)
    width = 16
    for stage, out in enumerate((16, 32, 64), start=1):
        for block in range(BLOCKS):
            at = f"layer{stage}.{block}"
            yield f"{at}.conv1.weight", [out, width, 3, 3]
            yield from norm(f"{at}.bn1", out)
            yield f"{at}.conv2.weight", [out, out, 3, 3]
            yield from norm(f"{at}.bn2", out)
            width = out
    yield "linear.weight", [10, 64]
    yield "linear.bias", [10]


def tensor(p, name, shape):
    stream = 5000 + p
    if name == "linear.weight":
        return formula.signed(stream, shape) / 64
    if name == "linear.bias":
        return formula.signed(stream, shape) / 8
    if len(shape) == 4:
        return formula.signed(stream, shape) * (6 / (shape[1] * 9)) ** 0.5
    if name.endswith((".weight", ".running_var")):
        return 0.5 + formula.unit(stream, shape)
    return 0.4 * formula.unit(stream, shape) - 0.2


def logits(t, x):
    def norm(x, name):
        parts = [t[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *parts, training=False, eps=1e-5)

    def channels(values):
        return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)

    x = (x - channels(MEAN)) / channels(STD)
    x = torch.relu(norm(F.conv2d(x, t["conv1.weight"], padding=1), "bn1"))
    for stage in (1, 2, 3):
        for block in range(BLOCKS):
            at = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            out = F.conv2d(x, t[f"{at}.conv1.weight"], stride=stride, padding=1)
            out = torch.relu(norm(out, f"{at}.bn1"))
            out = norm(F.conv2d(out, t[f"{at}.conv2.weight"], padding=1), f"{at}.bn2")
            if stride == 2:
                n, c, h, w = x.shape
                wide = torch.zeros(n, 2 * c, h // 2, w // 2, dtype=x.dtype)
                wide[:, c // 2 : c // 2 + c] = x[:, :, ::2, ::2]
                x = wide
            x = torch.relu(out + x)
    return F.linear(x.mean(dim=(2, 3)), t["linear.weight"], t["linear.bias"])


def main():
    listed = list(names())
    t = {name: tensor(p, name, shape) for p, (name, shape) in enumerate(listed)}
    x = (formula.byte(6000, (2, 3, 32, 32)).double() / 255).requires_grad_()
    y = formula.label(6001, 2)
    z = logits(t, x)
    loss = F.cross_entropy(z, y)
    (gradient,) = torch.autograd.grad(loss, x)
    print(z, y, loss, gradient.norm())
    formula.write(
        os.path.join(HERE, "resnet20.json"),
        {
            "torch": torch.__version__.split("+")[0],
            "tensors": [{"name": name, "shape": shape} for name, shape in listed],
            "logits": z.tolist(),
            "labels": y.tolist(),
            "loss": loss.item(),
            "gradient": formula.digest(gradient, 6002),
        },
    )


if __name__ == "__main__":
    main()
