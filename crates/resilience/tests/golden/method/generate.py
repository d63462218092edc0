"""Six float64 training steps of ResilienceCNN in PyTorch, for each training method.

    python generate.py [CASE ...]        (PyTorch 2.11; writes a JSON file a case beside it)

The rules are in reference.py beside this file, after these papers and their authors' code: Madry et
al. 2018, with the start and the L2 step of Rice et al. 2020 (locuslab/robust_overfitting c47a25c);
TRADES, Zhang et al. 2019 (yaodongyu/TRADES 6e8e11b); fast AT, Wong et al. 2020
(locuslab/fast_adversarial 54f7287); N-FGSM, de Jorge et al. 2022 (pdejorge/N-FGSM 0a9e4f0);
distillation, Papernot et al. 2016 (carlini/nn_robust_attacks c6b8f6a); ensemble AT, Tramer et al.
2018; AWP, Wu et al. 2020 (csdongxian/AWP a7acf5d); mixup, Zhang et al. 2018
(facebookresearch/mixup-cifar10 eaff31a); CutMix, Yun et al. 2019 (clovaai/CutMix-PyTorch 2d8eb68).
Where a case differs from that code, it says so.

Inputs, with the formulas of ../formula.py; n = 8 images, d = 3 * 32 * 32 = 3072, T = 20:

- Network and initial parameters p = 0..7: those of the case `recipe`. network(k) is the same
  network with parameter p from stream k + p: signed(k + p, i) * bound. Initial: network(0).
- Step s = 0..5: images x [8,3,32,32], element i = byte(1000 + s, i) / 255; labels y [8],
  label(2000 + s, i).
- Draws of step s, c the number of the draw among those of its kind in this step (0 throughout: no
  method here draws a kind twice):
  uniform in [-1, 1)  [8,3,32,32]: signed(5000 + 10 s + c, i);
  normal              [8,3,32,32]: signed(6000 + 10 s + c, i), taken as they are;
  share in [0, 1)     [8]:         unit(7000 + 10 s + c, i).

The step: Adam as in the case `recipe` (learning rate 1e-3, betas 0.9 and 0.999, epsilon 1e-8, no
weight decay) on the loss of the case. f are the logits at the weights before the step, CE the mean
cross-entropy; with targets t [8,10] it is the mean over the images of -sum_j t_j log softmax(f)_j.
clamp is to [0, 1]. x' is a constant in the loss. A gradient is that with respect to the images;
sign(0) = 0; unit(g) = g / ||g||_2, for each image on its own, without a constant in the denominator
(1e-12 there already moves trades-l2, whose gradients are small, by 3e-8). ball is the nearest point
of the ball of radius eps around x: in Linf min(max(z, x - eps), x + eps), in L2
x + (z - x) min(1, eps / ||z - x||_2). eps is 8/255 in Linf, 0.5 in L2, and 0.1 (Linf) in
awp-fgsm-joint. Every step length below is step_size * eps. No batch norm and no dropout, so passes
in training and in evaluation mode are the same.

The cases, each with its loss and the figures that a step has besides `loss`:

- pgd-at-linf: CE(f(x'), y). z = clamp(x + eps uniform), then 4 times
  z = clamp(ball(z + 0.25 eps sign(grad CE(f(z), y)))); x' is the last z.
- pgd-at-l2: CE(f(x'), y). z = clamp(x + eps share^(1/d) unit(normal)), then 4 times
  z = clamp(ball(z + 0.25 eps unit(grad CE(f(z), y)))).
- trades-linf: CE(f(x), y) + 6 KL(f(x), f(x')) / n; `clean`, `kl`. z = x + 0.001 normal, not
  clamped, then 4 times z = clamp(ball(z + 0.25 eps sign(grad KL(f(x), f(z))))).
- trades-l2: the same loss and figures. The same start, without eps in it, then 4 times
  z = clamp(ball(z + 0.5 eps unit(grad KL(f(x), f(z))))).
- fast-at-linf: CE(f(x'), y). z = clamp(x + eps uniform),
  x' = clamp(ball(z + 1.25 eps sign(grad CE(f(z), y)))).
- n-fgsm-linf: CE(f(x'), y). z = clamp(x + 2 eps uniform),
  x' = clamp(z + eps sign(grad CE(f(z), y))), without ball.
- distillation: CE(f(x) / T, softmax(teacher(x) / T)), teacher = network(100).
- standard-temperature: CE(f(x) / T, y).
- ensemble-at-linf: 0.5 CE(f(x), y) + 0.5 CE(f(x'), y); `clean`, `adversarial`.
  x' = clamp(x + eps sign(grad CE(source(x), y))), source = f for even s, network(200) for odd s.
- awp-pgd-at: attack and loss of pgd-at-linf, with AWP, gamma 0.01; `loss_at_weights`.
- awp-trades: attack and loss of trades-linf, with AWP, gamma 0.005; `clean`, `kl`,
  `loss_at_weights`.
- awp-fgsm-joint: CE(f(x), y) + CE(f(x'), y), with AWP, gamma 0.01; `clean`, `adversarial`,
  `loss_at_weights`. x' = clamp(x + eps sign(grad CE(f(x), y))).
- mixup: CE(f(x), t) on the images x and targets t of mixup, smoothed.
- cutmix: CE(f(x), t) on the images x and targets t of CutMix.
- pgd-at-mixup: attack and loss of pgd-at-linf, with CE(f(.), t), on the images and targets of
  mixup, not smoothed: x, the middle of the ball, is the mixed image.

Where:

- TRADES: KL(p, q) = sum over images and classes of softmax(p) (log softmax(p) - log softmax(q)). In
  the attack f(x) is a constant; in the loss the gradient goes through both. `clean` is CE(f(x), y),
  `kl` is KL(f(x), f(x')) / n, without the 6.
- Distillation has no factor T^2, and the teacher sees the same x.
- `clean` and `adversarial` are CE(f(x), y) and CE(f(x'), y), in ensemble-at-linf without the 0.5.
- AWP: L(w) is the loss of the case with x' fixed, attacked at the weights w. For each parameter
  with more than one dimension and "weight" in its name (here the four weights and no bias):
  v = gamma ||w|| g / (||g|| + 1e-20), g the gradient of L at w with respect to it, ||.|| the
  Frobenius norm of that parameter; v = 0 for the others. The gradient of L at w + v, biases
  included, then goes into Adam's step at w, the weights put back exactly. `loss`, `clean`, `kl` and
  `adversarial` are those at w + v, `loss_at_weights` is L(w).
- mixup: lam = unit(8000 + s, 0); the partner of image i is image 7 - i; x = lam x + (1 - lam)
  partner, t = lam onehot(y) + (1 - lam) onehot(partner's y); in the case mixup then smoothed,
  t (1 - 0.1) + 0.1 / 10.
- CutMix: lam = unit(8100 + s, 0), cx = word(8200 + s, 0) % 32, cy = word(8200 + s, 1) % 32 (words
  without sign), cut = floor(32 sqrt(1 - lam)). Columns x1 = max(cx - cut div 2, 0) up to, not
  including, x2 = min(cx + cut div 2, 32) and rows y1 to y2, likewise from cy, come from the
  partner, as above. lam' = 1 - (x2 - x1)(y2 - y1) / 1024, t = lam' onehot(y) + (1 - lam')
  onehot(partner's y). Not smoothed.

Where the cases differ from the authors' code:

- pgd-at-l2: the radius is eps share there, which is not uniform in the ball; unit(g) is
  g / (||g|| + 1e-10) there, and the projection torch.renorm, which has a 1e-7 of its own.
- trades-l2: there clamp comes before ball, and another clamp after the last step. The step is
  2 eps / steps there, hence 0.5 here.
- fast-at-linf, n-fgsm-linf: as there. In particular the noise of N-FGSM is clamped to the image's
  range before the gradient is taken.
- AWP: there v is the difference that one step of SGD on a copy makes, scaled, so that its learning
  rate cancels; and Adam steps at w + v, with v subtracted afterwards. Without weight decay that is
  the same up to rounding. (With decay it is not: it would decay w + v.)
- CutMix: there the first coordinate counts rows; here x counts columns, as in the paper.

Fixture: `steps`, one entry a step with `loss`, the loss before the update, and the figures above;
`parameters`, by name: sum, Euclidean norm, projection = sum of element i times signed(3000 + p, i),
and the first eight elements, after 6 steps. Of AWP also `perturbation`, the same figures of v in
the first step, by name, of the four weights. Of the cases with mixed targets also `mixed`, an entry
a step: `lambda`, in cutmix lam' with `columns` [x1, x2] and `rows` [y1, y2].

The generator runs each case twice, the second time in another order of summation (batch reversed,
channels-last), and prints how far the two are apart: what is due to rounding alone. It prints the
smallest entry of any gradient whose sign was taken, relative to the mean size, and fails where that
is so small that rounding could turn it. It then changes one constant or rule of reference.py after
the other (changes.py), and fails unless each of them moves a figure by more than 1e-6, and other
ways to write the same rule move none by more than 1e-9.
"""

import functools
import os
import sys
import types

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
import changes  # noqa: E402
import formula  # noqa: E402

SEEN, SAME, FEW = 1e-6, 1e-9, 3

formula.unit = functools.cache(formula.unit)
torch.set_num_threads(1)


def reference(words=()):
    """reference.py with a few words of it replaced."""
    with open(os.path.join(HERE, "reference.py"), encoding="utf-8") as source:
        text = source.read()
    for old, new in words:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in reference.py"
        text = text.replace(old, new)
    module = types.ModuleType("reference")
    exec(compile(text, "reference.py", "exec"), module.__dict__)
    return module


def fixture(module, name):
    weights, steps, perturbation = module.run(name)
    names = [name for name, _, _ in module.PARAMETERS]
    found = {"torch": torch.__version__.split("+")[0], "steps": steps}
    case = module.CASES[name]
    if case.batch is module.cutmix:
        boxes = [module.box(s) for s in range(module.STEPS)]
        found["mixed"] = [
            {"lambda": lam, "columns": [x1, x2], "rows": [y1, y2]} for x1, x2, y1, y2, lam in boxes
        ]
    elif case.batch is not module.plain:
        lambdas = [formula.unit(8000 + s, (1,)).item() for s in range(module.STEPS)]
        found["mixed"] = [{"lambda": lam} for lam in lambdas]
    if perturbation:
        found["perturbation"] = digests(names, perturbation, lambda v: v.dim() > 1)
    found["parameters"] = digests(names, weights, lambda w: True)
    return found


def moved(name, words, expected):
    """By how much these words move the losses of the first steps, or else the whole fixture."""
    module = reference(words)
    module.STEPS = FEW
    by = apart(module.run(name)[1], expected["steps"][:FEW])
    return by if by > SEEN else apart(fixture(reference(words), name), expected)


def digests(names, tensors, kept):
    pairs = enumerate(zip(names, tensors))
    return {name: formula.digest(t, 3000 + p) for p, (name, t) in pairs if kept(t)}


def figures(value):
    """All numbers of a fixture, in order."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for entry in value for number in figures(entry)]
    return [] if isinstance(value, str) else [value]


def apart(found, expected):
    """How far two fixtures are apart, measured as the test that reads them does."""
    pairs = list(zip(figures(found), figures(expected), strict=True))
    assert all(a == a for a, _ in pairs), "not a number"
    return max(abs(a - b) / max(1, abs(b)) for a, b in pairs)


def smallest_of(module):
    """A list of one: the smallest entry, relative to the mean, that `module` takes the sign of."""
    plain, smallest = module.sign, [float("inf")]

    def sign(gradient):
        sizes = gradient.abs()
        smallest[0] = min(smallest[0], (sizes.min() / sizes.mean()).item())
        return plain(gradient)

    module.sign = sign
    return smallest


def main():
    for name in sys.argv[1:] or reference().CASES:
        module = reference()
        smallest = smallest_of(module)
        expected = fixture(module, name)
        formula.write(os.path.join(HERE, name + ".json"), expected)

        other = reference()
        other.REVERSED = True
        rounding = apart(fixture(other, name), expected)
        print(f"{name}: rounding alone {rounding:.0e}, smallest gradient {smallest[0]:.0e}")
        assert rounding < 1e-10 and smallest[0] > 1e-10

        for change, words in changes.DIFFERENT[name].items():
            by = moved(name, words, expected)
            print(f"    {change}: {by:.0e}")
            assert by > SEEN, f"{name} does not show: {change}"
        for change, words in changes.SAME.get(name, {}).items():
            by = moved(name, words, expected)
            print(f"    the same, {change}: {by:.0e}")
            assert by < SAME, f"{name} is another with: {change}"


if __name__ == "__main__":
    main()
