"""The training methods, one plain function a rule; the head of generate.py says what each does.

generate.py runs this file as it stands, and again with a few words of it replaced at a time.
"""

import math
from typing import Callable, NamedTuple

import formula
import torch
import torch.nn.functional as F

STEPS, BATCH, DIMS = 6, 8, 3 * 32 * 32
LINF, L2 = 8 / 255, 0.5
REVERSED = False
PARAMETERS = [
    ("conv1.weight", (32, 3, 3, 3), 27),
    ("conv1.bias", (32,), 27),
    ("conv2.weight", (64, 32, 3, 3), 288),
    ("conv2.bias", (64,), 288),
    ("fc1.weight", (128, 4096), 4096),
    ("fc1.bias", (128,), 4096),
    ("fc2.weight", (10, 128), 128),
    ("fc2.bias", (10,), 128),
]


def network(first):
    """Parameters from the streams `first` to `first` + 7."""
    return [
        (formula.signed(first + p, shape) * (1 / fan_in**0.5)).requires_grad_()
        for p, (_, shape, fan_in) in enumerate(PARAMETERS)
    ]


def logits(w, x):
    w1, b1, w2, b2, w3, b3, w4, b4 = w
    x = F.max_pool2d(torch.relu(F.conv2d(x, w1, b1, padding=1)), 2)
    x = F.max_pool2d(torch.relu(F.conv2d(x, w2, b2, padding=1)), 2)
    return F.linear(torch.relu(F.linear(x.flatten(1), w3, b3)), w4, b4)


# What comes with a step.


def arranged(values):
    """Values of a batch in the order of this run: reversed where rounding is measured."""
    if not REVERSED:
        return values
    values = values.flip(0)
    return values.contiguous(memory_format=torch.channels_last) if values.dim() == 4 else values


def uniform(s, call=0):
    return arranged(formula.signed(5000 + 10 * s + call, (BATCH, 3, 32, 32)))


def normal(s, call=0):
    return arranged(formula.signed(6000 + 10 * s + call, (BATCH, 3, 32, 32)))


def share(s, call=0):
    return arranged(formula.unit(7000 + 10 * s + call, (BATCH,))).view(-1, 1, 1, 1)


def plain(s):
    x = arranged(formula.byte(1000 + s, (BATCH, 3, 32, 32)).double() / 255)
    return x, arranged(formula.label(2000 + s, BATCH))


def mixup(s):
    x, y = plain(s)
    lam = formula.unit(8000 + s, (1,)).item()
    t = F.one_hot(y, 10).double()
    return lam * x + (1 - lam) * x.flip(0), lam * t + (1 - lam) * t.flip(0)


def smoothed_mixup(s):
    x, t = mixup(s)
    return x, t * (1 - 0.1) + 0.1 / 10


def box(s):
    """Columns x1 to x2 and rows y1 to y2 of the partner, ends excluded, and the share left."""
    lam = formula.unit(8100 + s, (1,)).item()
    cx, cy = (int(word) % 32 for word in formula.word(8200 + s, 2))
    cut = math.floor(32 * math.sqrt(1 - lam))
    x1, x2 = max(cx - cut // 2, 0), min(cx + cut // 2, 32)
    y1, y2 = max(cy - cut // 2, 0), min(cy + cut // 2, 32)
    lam = 1 - (x2 - x1) * (y2 - y1) / 1024
    return x1, x2, y1, y2, lam


def cutmix(s):
    x, y = plain(s)
    x1, x2, y1, y2, lam = box(s)
    mixed, t = x.clone(), F.one_hot(y, 10).double()
    mixed[:, :, y1:y2, x1:x2] = x.flip(0)[:, :, y1:y2, x1:x2]
    return mixed, lam * t + (1 - lam) * t.flip(0)


# Geometry.


def length(d):
    return d.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


def sign(gradient):
    return gradient.sign()


def unit(gradient):
    return gradient / length(gradient)


def into_cube(z, x, eps):
    """The nearest point of the Linf ball around x."""
    return torch.minimum(torch.maximum(z, x - eps), x + eps)


def into_ball(z, x, eps):
    """The nearest point of the L2 ball around x."""
    return x + (z - x) * (eps / length(z - x)).clamp(max=1)


def ascent(objective, z):
    """The gradient with respect to images."""
    z = z.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(objective(z), z)
    return gradient


def divergence(p, q):
    """KL(softmax p || softmax q), summed over the batch."""
    return F.kl_div(F.log_softmax(q, 1), F.softmax(p, 1), reduction="sum")


# Examples: weights, images, targets, step -> attacked images.


def none(w, x, y, s):
    return x


def pgd_linf(w, x, y, s):
    z = (x + LINF * uniform(s)).clamp(0, 1)
    for _ in range(4):
        g = ascent(lambda z: F.cross_entropy(logits(w, z), y), z)
        z = into_cube(z + 0.25 * LINF * sign(g), x, LINF)
        z = z.clamp(0, 1)
    return z


def pgd_l2(w, x, y, s):
    radius = L2 * share(s) ** (1 / DIMS)
    z = (x + radius * unit(normal(s))).clamp(0, 1)
    for _ in range(4):
        g = ascent(lambda z: F.cross_entropy(logits(w, z), y), z)
        z = into_ball(z + 0.25 * L2 * unit(g), x, L2)
        z = z.clamp(0.0, 1.0)
    return z


def trades_linf(w, x, y, s):
    fixed = logits(w, x).detach()
    z = x + 0.001 * normal(s)
    for _ in range(4):
        g = ascent(lambda z: divergence(fixed, logits(w, z)), z)
        z = into_cube(z + 0.25 * LINF * sign(g), x, LINF).clamp(0, 1)
    return z


def trades_l2(w, x, y, s):
    fixed = logits(w, x).detach()
    z = x + 0.001 * normal(s)
    for _ in range(4):
        g = ascent(lambda z: divergence(fixed, logits(w, z)), z)
        z = into_ball(z + 0.5 * L2 * unit(g), x, L2).clamp(0, 1)
    return z


def fast(w, x, y, s):
    z = (x + LINF * uniform(s)).clamp(0.0, 1.0)
    g = ascent(lambda z: F.cross_entropy(logits(w, z), y), z)
    return into_cube(z + 1.25 * LINF * sign(g), x, LINF).clamp(0, 1)


def n_fgsm(w, x, y, s):
    z = (x + 2 * LINF * uniform(s)).clamp(0, 1)
    g = ascent(lambda z: F.cross_entropy(logits(w, z), y), z)
    return (z + LINF * sign(g)).clamp(0, 1)


def ensemble(w, x, y, s):
    source = w if s % 2 == 0 else network(200)
    g = ascent(lambda z: F.cross_entropy(logits(source, z), y), x)
    return (x + LINF * sign(g)).clamp(0, 1)


def fgsm(w, x, y, s):
    g = ascent(lambda z: F.cross_entropy(logits(w, z), y), x)
    return (x + 0.1 * sign(g)).clamp(0, 1)


# Losses: weights, images, attacked images, targets -> loss, further figures.


def attacked(w, x, z, y):
    return F.cross_entropy(logits(w, z), y), {}


def trades(w, x, z, y):
    f = logits(w, x)
    clean = F.cross_entropy(f, y)
    kl = divergence(f, logits(w, z)) / BATCH
    return clean + 6 * kl, {"clean": clean, "kl": kl}


def distillation(w, x, z, y):
    soft = F.softmax(logits(network(100), x).detach() / 20, 1)
    return F.cross_entropy(logits(w, x) / 20, soft), {}


def tempered(w, x, z, y):
    return F.cross_entropy(logits(w, x) / 20.0, y), {}


def half_each(w, x, z, y):
    clean, adversarial = (F.cross_entropy(logits(w, images), y) for images in (x, z))
    return 0.5 * clean + 0.5 * adversarial, {"clean": clean, "adversarial": adversarial}


def joint(w, x, z, y):
    clean, adversarial = (F.cross_entropy(logits(w, images), y) for images in (x, z))
    return clean + adversarial, {"clean": clean, "adversarial": adversarial}


class Case(NamedTuple):
    batch: Callable
    examples: Callable
    loss: Callable
    gamma: float = 0.0


CASES = {
    "pgd-at-linf": Case(plain, pgd_linf, attacked),
    "pgd-at-l2": Case(plain, pgd_l2, attacked),
    "trades-linf": Case(plain, trades_linf, trades),
    "trades-l2": Case(plain, trades_l2, trades),
    "fast-at-linf": Case(plain, fast, attacked),
    "n-fgsm-linf": Case(plain, n_fgsm, attacked),
    "distillation": Case(plain, none, distillation),
    "standard-temperature": Case(plain, none, tempered),
    "ensemble-at-linf": Case(plain, ensemble, half_each),
    "awp-pgd-at": Case(plain, pgd_linf, attacked, gamma=0.01),
    "awp-trades": Case(plain, trades_linf, trades, gamma=0.005),
    "awp-fgsm-joint": Case(plain, fgsm, joint, gamma=0.010),
    "mixup": Case(smoothed_mixup, none, attacked),
    "cutmix": Case(cutmix, none, attacked),
    "pgd-at-mixup": Case(mixup, pgd_linf, attacked),
}


def perturbation(w, gradients, gamma):
    """What AWP adds to each parameter; nothing to those of one dimension, the biases."""
    return [
        gamma * p.norm() * g / (g.norm() + 1e-20) if p.dim() > 1 else torch.zeros_like(p)
        for p, g in zip(w, gradients)
    ]


def run(name):
    """The weights after all steps, the figures of each step, and what AWP added in the first."""
    case = CASES[name]
    w = network(0)
    optimiser = torch.optim.Adam(w, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, foreach=False)
    steps, first = [], None
    for s in range(STEPS):
        x, y = case.batch(s)
        z = case.examples(w, x, y, s).detach()
        at, v = w, [torch.zeros_like(p) for p in w]
        unmoved = {}
        if case.gamma:
            loss, parts = case.loss(w, x, z, y)
            v = perturbation([p.detach() for p in w], torch.autograd.grad(loss, w), case.gamma)
            at = [(p + d).detach().requires_grad_() for p, d in zip(w, v)]
            unmoved = {"loss_at_weights": loss}
            first = first or v
        loss, figures = case.loss(at, x, z, y)
        for p, g in zip(w, torch.autograd.grad(loss, at)):
            p.grad = g
        optimiser.step()
        figures = {"loss": loss, **figures, **unmoved}
        steps.append({key: value.item() for key, value in figures.items()})
    return w, steps, first
