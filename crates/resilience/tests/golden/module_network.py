"""What the golden cases of networks have in common that PyTorch builds from modules, in float64.

Inputs, with the formulas of formula.py. Parameters and statistics in the order p = 0, 1, … of the
fixture's list `tensors` (which is that of the usual state dict, without the counters
num_batches_tracked), with the stream s = first + p; element i of

- a convolution's weight: signed(s, i) * sqrt(6 / fan_in), the root in float64;
- a batch norm's weight and running_var: 0.5 + unit(s, i);
- a batch norm's bias and running_mean: 0.4 * unit(s, i) - 0.2;
- linear.weight: signed(s, i) / 64;   linear.bias: signed(s, i) / 8.

Images [2,3,32,32] = byte(images, i) / 255; labels [2] = label(images + 1, i). The network normalises
with the case's mean and std; batch norm uses the running statistics, with epsilon 1e-5.

Fixture: `tensors` (names and shapes), `logits` [2, 10], `loss` (mean cross-entropy), `gradient` of
the loss with respect to the images before normalisation: its sum, Euclidean norm, product with
signed(images + 2, i) and first eight elements. A case names changes of one rule of the network each,
and its generator fails where the fixture would not show one of them.
"""

from dataclasses import dataclass
from typing import Callable

import torch
import torch.nn.functional as F

import formula


@dataclass
class Case:
    """A network, its streams and its normalisation."""

    network: Callable
    first: int
    images: int
    mean: tuple
    std: tuple

    def build(self):
        """The network with its values."""
        network = self.network().double().eval()
        network.load_state_dict(self.values(network), strict=False)
        return network

    def values(self, network):
        state = network.state_dict().items()
        shapes = {k: v.shape for k, v in state if not k.endswith("num_batches_tracked")}
        return {k: tensor(self.first + p, k, shape) for p, (k, shape) in enumerate(shapes.items())}

    def result(self, network):
        """What the network computes, as the fixture has it."""

        def channels(values):
            return torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1)

        x = (formula.byte(self.images, (2, 3, 32, 32)).double() / 255).requires_grad_()
        y = formula.label(self.images + 1, 2)
        z = network((x - channels(self.mean)) / channels(self.std))
        loss = F.cross_entropy(z, y)
        (gradient,) = torch.autograd.grad(loss, x)
        return {
            "logits": z.tolist(),
            "labels": y.tolist(),
            "loss": loss.item(),
            "gradient": formula.digest(gradient, self.images + 2),
        }

    def write(self, path, other_rules):
        """Writes the fixture, after each change of `other_rules` (what it is, and a function that makes
        it on the network) has been seen to show."""
        network = self.build()
        right = self.result(network)
        print(right)
        expected = torch.tensor(right["logits"], dtype=torch.float64)
        for what, change in other_rules:
            other = self.build()
            change(other)
            logits = torch.tensor(self.result(other)["logits"], dtype=torch.float64)
            apart = (logits - expected).abs().max().item()
            print(f"{what}: {apart:.1e}")
            assert apart > 1e-6, f"the fixture does not show {what}"
        tensors = [{"name": k, "shape": list(v.shape)} for k, v in self.values(network).items()]
        formula.write(path, {"torch": torch.__version__.split("+")[0], "tensors": tensors, **right})


def tensor(stream, name, shape):
    if name == "linear.weight":
        return formula.signed(stream, shape) / 64
    if name == "linear.bias":
        return formula.signed(stream, shape) / 8
    if len(shape) == 4:
        return formula.signed(stream, shape) * (6 / shape[1:].numel()) ** 0.5
    if name.endswith((".weight", ".running_var")):
        return 0.5 + formula.unit(stream, shape)
    return 0.4 * formula.unit(stream, shape) - 0.2


def stride_in_the_second_convolution(network):
    network.layer3[0].conv1.stride, network.layer3[0].conv2.stride = (1, 1), (2, 2)


def shortcut_of_the_odd_pixels(network):
    projection = network.layer2[0].shortcut[0]
    projection.register_forward_pre_hook(lambda _, x: (x[0].roll((-1, -1), (2, 3)),))
