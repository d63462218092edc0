"""Words of reference.py to replace, by case: what a change is, and the words, old and new.

DIFFERENT: other rules and constants, which the figures of the case have to show. SAME: other ways
to write the same rule, which they must not show.
"""

LOSS = "return F.cross_entropy(logits(w, z), y), {}"
FINAL_LOSS = "loss, figures = case.loss(at, x, z, y)\n"
ASCENT = "torch.autograd.grad(loss, w), case"
V = "gamma * p.norm() * g / (g.norm() + 1e-20) if p.dim() > 1 else"
STEP = "optimiser.step()"

PGD_START = "(x + LINF * uniform(s)).clamp(0, 1)"
PGD_GRADIENT = "cross_entropy(logits(w, z), y), z)\n        z = into_cube("
PGD_STEP = "into_cube(z + 0.25 * LINF * sign(g), x, LINF)\n"
BALL_START = "(x + radius * unit(normal(s))).clamp(0, 1)"
BALL_STEP = "into_ball(z + 0.25 * L2 * unit(g), x, L2)\n"

TRADES_LINF = "def trades_linf(w, x, y, s):\n    fixed = logits(w, x).detach()\n    z = "
TRADES_LINF_START = TRADES_LINF + "x + 0.001 * normal(s)\n"
TRADES_LINF_GRADIENT = "divergence(fixed, logits(w, z)), z)\n        z = into_cube("
TRADES_LINF_STEP = "into_cube(z + 0.25 * LINF * sign(g), x, LINF).clamp(0, 1)"
TRADES_L2 = "def trades_l2(w, x, y, s):\n    fixed = logits(w, x).detach()\n    z = "
TRADES_L2_START = TRADES_L2 + "x + 0.001 * normal(s)\n"
TRADES_L2_GRADIENT = "divergence(fixed, logits(w, z)), z)\n        z = into_ball("
TRADES_L2_STEP = "into_ball(z + 0.5 * L2 * unit(g), x, L2).clamp(0, 1)"
KL = "kl = divergence(f, logits(w, z)) / BATCH"

FAST_START = "(x + LINF * uniform(s)).clamp(0.0, 1.0)"
FAST_STEP = "into_cube(z + 1.25 * LINF * sign(g), x, LINF).clamp(0, 1)"
N_FGSM_START = "(x + 2 * LINF * uniform(s)).clamp(0, 1)"
N_FGSM_STEP = "(z + LINF * sign(g)).clamp(0, 1)"
SOFT = "soft = F.softmax(logits(network(100), x).detach() / 20, 1)"
STUDENT = "F.cross_entropy(logits(w, x) / 20, soft)"
TEMPERED = "F.cross_entropy(logits(w, x) / 20.0, y)"
SOURCE = "source = w if s % 2 == 0 else network(200)"
ENSEMBLE_STEP = "(x + LINF * sign(g)).clamp(0, 1)"
HALVES = "0.5 * clean + 0.5 * adversarial"
FGSM_STEP = "(x + 0.1 * sign(g)).clamp(0, 1)"

MIXED_IMAGES = "lam * x + (1 - lam) * x.flip(0)"
MIXED_TARGETS = "x.flip(0), lam * t + (1 - lam) * t.flip(0)"
MIXED = MIXED_IMAGES.replace("x.flip(0)", MIXED_TARGETS)
SMOOTHED = "t * (1 - 0.1) + 0.1 / 10"
CUT = "cut = math.floor(32 * math.sqrt(1 - lam))"
X_RANGE = "x1, x2 = max(cx - cut // 2, 0), min(cx + cut // 2, 32)"
Y_RANGE = "y1, y2 = max(cy - cut // 2, 0), min(cy + cut // 2, 32)"
BOX_SHARE = "lam = 1 - (x2 - x1) * (y2 - y1) / 1024"
BOX_IMAGES = "mixed[:, :, y1:y2, x1:x2] = x.flip(0)[:, :, y1:y2, x1:x2]"
BOX_TARGETS = "return mixed, lam * t + (1 - lam) * t.flip(0)"

TRADES_LOSS = {
    "beta 5.9": [("clean + 6 * kl", "clean + 5.9 * kl")],
    "KL the other way round": [(KL, "kl = divergence(logits(w, z), f) / BATCH")],
    "f(x) a constant in the loss": [(KL, "kl = divergence(f.detach(), logits(w, z)) / BATCH")],
    "f(x') a constant in the loss": [(KL, "kl = divergence(f, logits(w, z).detach()) / BATCH")],
    "KL a mean over the classes too": [(KL, KL + " / 10")],
    "KL a sum over the batch": [(KL, KL.replace(" / BATCH", ""))],
    "KL at half the logits": [(KL, "kl = divergence(f / 2, logits(w, z) / 2) / BATCH")],
}
AWP = {
    "no perturbation": [("[(p + d).detach()", "[(p + 0 * d).detach()")],
    "the biases too": [("if p.dim() > 1 else", "if True else")],
    "not fc2.weight": [("if p.dim() > 1 else", "if p.dim() > 1 and len(p) > 10 else")],
    "descent": [(V, "-" + V)],
    "v without the norm of w": [(V, V.replace("p.norm() * ", ""))],
    "v without the norm of g": [(V, V.replace("(g.norm() + 1e-20)", "1"))],
    "v along the sign of g": [(V, V.replace(" g / (g", " g.sign() / (g.sign()"))],
    "one norm of all gradients": [
        (V, V.replace("(g.norm() + 1e-20)", "sum(g.norm() ** 2 for g in gradients) ** 0.5"))
    ],
    "largest entries for norms": [(V, V.replace("norm()", "abs().max()"))],
    "norms of the rows": [
        (V, V.replace("norm()", "flatten(1).norm(dim=1).view(-1, *[1] * (p.dim() - 1))"))
    ],
    "weights not put back": [(STEP, "[p.data.add_(d) for p, d in zip(w, v)]; " + STEP)],
    "put back twice": [(STEP, STEP + "; [p.data.sub_(d) for p, d in zip(w, v)]")],
    "examples made again at w + v": [
        (FINAL_LOSS, "z = case.examples(at, x, y, s).detach()\n        " + FINAL_LOSS)
    ],
    "loss at w reported": [('"loss": loss, **', '"loss": unmoved["loss_at_weights"], **')],
    "only the first step perturbed": [("w), case.gamma)", "w), case.gamma * (s == 0))")],
}


def gamma(case, old, new):
    return {f"gamma {new}": [(f"{case}, gamma={old})", f"{case}, gamma={new})")]}


DIFFERENT = {
    "pgd-at-linf": {
        "no random start": [(PGD_START, "x")],
        "start not clamped": [(PGD_START, "x + LINF * uniform(s)")],
        "start in a smaller cube": [(PGD_START, "(x + 0.99 * LINF * uniform(s)).clamp(0, 1)")],
        "draws of step 0": [(PGD_START, "(x + LINF * uniform(0)).clamp(0, 1)")],
        "5 steps": [(PGD_START + "\n    for _ in range(4)", PGD_START + "\n    for _ in range(5)")],
        "step size 0.24": [(PGD_STEP, PGD_STEP.replace("0.25", "0.24"))],
        "no projection": [(PGD_STEP, "z + 0.25 * LINF * sign(g)\n")],
        "no clamp": [("        z = z.clamp(0, 1)\n", "")],
        "clamp only at the end": [("        z = z.clamp(0, 1)\n", "    z = z.clamp(0, 1)\n")],
        "eps 8/256": [("LINF, L2 = 8 / 255, 0.5", "LINF, L2 = 8 / 256, 0.5")],
        "attack at the first weights": [
            (PGD_GRADIENT, PGD_GRADIENT.replace("logits(w", "logits(network(0)"))
        ],
        "attack on the predicted classes": [
            (PGD_GRADIENT, PGD_GRADIENT.replace(", y)", ", logits(w, x).argmax(1))"))
        ],
        "loss of clean images": [(LOSS, LOSS.replace("z", "x"))],
        "loss of both": [(LOSS, LOSS.replace("F.", "F.cross_entropy(logits(w, x), y) + F."))],
        "learning rate 1.001e-3": [("lr=1e-3", "lr=1.001e-3")],
        "second beta 0.99": [("0.999)", "0.99)")],
    },
    "pgd-at-l2": {
        "radius eps share": [("share(s) ** (1 / DIMS)", "share(s)")],
        "radius eps": [("share(s) ** (1 / DIMS)", "1.0")],
        "radius for a third of the dimensions": [("(1 / DIMS)", "(3 / DIMS)")],
        "direction without unit length": [("radius * unit(normal(s))", "radius * normal(s) / 32")],
        "no random start": [(BALL_START, "x")],
        "start not clamped": [(BALL_START, "x + radius * unit(normal(s))")],
        "5 steps": [
            (BALL_START + "\n    for _ in range(4)", BALL_START + "\n    for _ in range(5)")
        ],
        "step size 0.24": [(BALL_STEP, BALL_STEP.replace("0.25", "0.24"))],
        "step along the sign": [(BALL_STEP, BALL_STEP.replace("unit(g)", "unit(sign(g))"))],
        "length of the batch's gradient": [
            (BALL_STEP, BALL_STEP.replace("unit(g)", "g / g.norm()"))
        ],
        "no projection": [(BALL_STEP, "z + 0.25 * L2 * unit(g)\n")],
        "clamp before the projection": [
            (BALL_STEP, "into_ball((z + 0.25 * L2 * unit(g)).clamp(0, 1), x, L2)\n"),
        ],
        "no clamp": [("        z = z.clamp(0.0, 1.0)\n", "")],
        "clamp only at the end": [
            ("        z = z.clamp(0.0, 1.0)\n", "    z = z.clamp(0.0, 1.0)\n")
        ],
    },
    "trades-linf": {
        "start clamped": [
            (TRADES_LINF_START, TRADES_LINF + "(x + 0.001 * normal(s)).clamp(0, 1)\n")
        ],
        "start at x + 0.0011 normal": [
            (TRADES_LINF_START, TRADES_LINF_START.replace("0.001", "0.0011"))
        ],
        "uniform start": [(TRADES_LINF_START, TRADES_LINF + "x + LINF * uniform(s)\n")],
        "5 steps": [
            (
                TRADES_LINF_START + "    for _ in range(4)",
                TRADES_LINF_START + "    for _ in range(5)",
            )
        ],
        "step size 0.24": [(TRADES_LINF_STEP, TRADES_LINF_STEP.replace("0.25", "0.24"))],
        "no projection": [(TRADES_LINF_STEP, "(z + 0.25 * LINF * sign(g)).clamp(0, 1)")],
        "no clamp": [(TRADES_LINF_STEP, "into_cube(z + 0.25 * LINF * sign(g), x, LINF)")],
        "KL of the attack the other way round": [
            (
                TRADES_LINF_GRADIENT,
                TRADES_LINF_GRADIENT.replace("fixed, logits(w, z)", "logits(w, z), fixed"),
            )
        ],
        "attack on the cross-entropy": [
            (
                TRADES_LINF_GRADIENT,
                TRADES_LINF_GRADIENT.replace(
                    "divergence(fixed, logits(w, z))", "F.cross_entropy(logits(w, z), y)"
                ),
            )
        ],
        "attack at the first weights": [
            (TRADES_LINF_GRADIENT, TRADES_LINF_GRADIENT.replace("logits(w", "logits(network(0)"))
        ],
        "f(x) of the first weights": [
            (TRADES_LINF_START, TRADES_LINF_START.replace("logits(w", "logits(network(0)"))
        ],
        **TRADES_LOSS,
    },
    "trades-l2": {
        "start clamped": [(TRADES_L2_START, TRADES_L2 + "(x + 0.001 * normal(s)).clamp(0, 1)\n")],
        "start in the ball": [
            (TRADES_L2_START, TRADES_L2 + "x + L2 * share(s) ** (1 / DIMS) * unit(normal(s))\n")
        ],
        "5 steps": [
            (TRADES_L2_START + "    for _ in range(4)", TRADES_L2_START + "    for _ in range(5)")
        ],
        "step size 0.49": [(TRADES_L2_STEP, TRADES_L2_STEP.replace("0.5", "0.49"))],
        "no projection": [(TRADES_L2_STEP, "(z + 0.5 * L2 * unit(g)).clamp(0, 1)")],
        "a constant of 1e-10 in unit": [("/ length(gradient)", "/ (length(gradient) + 1e-10)")],
        "always onto the sphere": [("(eps / length(z - x)).clamp(max=1)", "(eps / length(z - x))")],
        "clamp before the projection": [
            (TRADES_L2_STEP, "into_ball((z + 0.5 * L2 * unit(g)).clamp(0, 1), x, L2)")
        ],
        "no clamp": [(TRADES_L2_STEP, "into_ball(z + 0.5 * L2 * unit(g), x, L2)")],
        "step along the sign": [
            (TRADES_L2_STEP, TRADES_L2_STEP.replace("unit(g)", "unit(sign(g))"))
        ],
        "KL of the attack the other way round": [
            (
                TRADES_L2_GRADIENT,
                TRADES_L2_GRADIENT.replace("fixed, logits(w, z)", "logits(w, z), fixed"),
            )
        ],
        "attack on the cross-entropy": [
            (
                TRADES_L2_GRADIENT,
                TRADES_L2_GRADIENT.replace(
                    "divergence(fixed, logits(w, z))", "F.cross_entropy(logits(w, z), y)"
                ),
            )
        ],
        **TRADES_LOSS,
    },
    "fast-at-linf": {
        "no random start": [(FAST_START, "x")],
        "start not clamped": [(FAST_START, "x + LINF * uniform(s)")],
        "start in a cube of 2 eps": [(FAST_START, "(x + 2 * LINF * uniform(s)).clamp(0.0, 1.0)")],
        "step size 1": [(FAST_STEP, FAST_STEP.replace("1.25", "1"))],
        "no projection": [(FAST_STEP, "(z + 1.25 * LINF * sign(g)).clamp(0, 1)")],
        "no clamp": [(FAST_STEP, "into_cube(z + 1.25 * LINF * sign(g), x, LINF)")],
        "step from x": [(FAST_STEP, FAST_STEP.replace("(z", "(x"))],
    },
    "n-fgsm-linf": {
        "no noise": [(N_FGSM_START, "x")],
        "noise of eps": [(N_FGSM_START, N_FGSM_START.replace("2 * ", ""))],
        "noise not clamped": [(N_FGSM_START, "x + 2 * LINF * uniform(s)")],
        "step size 1.25": [(N_FGSM_STEP, "(z + 1.25 * LINF * sign(g)).clamp(0, 1)")],
        "projection": [(N_FGSM_STEP, "into_cube(z + LINF * sign(g), x, LINF).clamp(0, 1)")],
        "projection onto 2 eps": [
            (N_FGSM_STEP, "into_cube(z + LINF * sign(g), x, 2 * LINF).clamp(0, 1)")
        ],
        "no clamp": [(N_FGSM_STEP, "z + LINF * sign(g)")],
        "step from x": [(N_FGSM_STEP, N_FGSM_STEP.replace("(z", "(x"))],
    },
    "distillation": {
        "temperature 19": [
            (SOFT, SOFT.replace("20", "19")),
            (STUDENT, STUDENT.replace("20", "19")),
        ],
        "teacher at temperature 1": [(SOFT, SOFT.replace("20", "1"))],
        "student at temperature 1": [(STUDENT, STUDENT.replace("20", "1"))],
        "factor T^2": [(STUDENT, "400 * " + STUDENT)],
        "KL in place of the cross-entropy": [
            (STUDENT, "F.kl_div(F.log_softmax(logits(w, x) / 20, 1), soft, reduction='batchmean')")
        ],
        "KL the other way round": [(STUDENT, "divergence(logits(w, x) / 20, soft.log()) / BATCH")],
        "the teacher's classes": [(STUDENT, STUDENT.replace("soft", "soft.argmax(1)"))],
        "true labels": [(STUDENT, STUDENT.replace("soft", "y"))],
        "mean over the classes too": [(STUDENT, STUDENT + " / 10")],
        "another teacher": [(SOFT, SOFT.replace("100", "101"))],
    },
    "standard-temperature": {
        "temperature 19": [(TEMPERED, TEMPERED.replace("20.0", "19"))],
        "temperature 1": [(TEMPERED, TEMPERED.replace("20.0", "1"))],
        "logits times the temperature": [(TEMPERED, TEMPERED.replace("/ 20.0", "* 20"))],
        "factor T": [(TEMPERED, "20 * " + TEMPERED)],
    },
    "ensemble-at-linf": {
        "always the model itself": [(SOURCE, "source = w")],
        "always the static model": [(SOURCE, "source = network(200)")],
        "static model first": [(SOURCE, SOURCE.replace("== 0", "== 1"))],
        "the static model is the initial one": [(SOURCE, SOURCE.replace("200", "0"))],
        "sum of the losses": [(HALVES, "clean + adversarial")],
        "weights 0.4 and 0.6": [(HALVES, "0.4 * clean + 0.6 * adversarial")],
        "only attacked images": [(HALVES, "adversarial")],
        "no clamp": [(ENSEMBLE_STEP, "x + LINF * sign(g)")],
        "step size 0.99": [(ENSEMBLE_STEP, ENSEMBLE_STEP.replace("LINF", "0.99 * LINF"))],
        "random start": [
            (
                ENSEMBLE_STEP,
                "into_cube(x + LINF * uniform(s) + LINF * sign(g), x, LINF).clamp(0, 1)",
            )
        ],
        "the model's own predictions": [
            ("logits(source, z), y), x)", "logits(source, z), logits(source, x).argmax(1)), x)")
        ],
    },
    "awp-pgd-at": {
        **gamma("pgd_linf, attacked", "0.01", "0.011"),
        **AWP,
        "ascent on the clean loss": [(ASCENT, ASCENT.replace("loss", "case.loss(w, x, x, y)[0]"))],
    },
    "awp-trades": {
        **gamma("trades_linf, trades", "0.005", "0.0051"),
        **AWP,
        **TRADES_LOSS,
        "ascent on the clean part": [(ASCENT, ASCENT.replace("loss", "parts['clean']"))],
        "ascent on the KL": [(ASCENT, ASCENT.replace("loss", "parts['kl']"))],
    },
    "awp-fgsm-joint": {
        **gamma("fgsm, joint", "0.010", "0.0101"),
        **AWP,
        "ascent on the attacked part": [(ASCENT, ASCENT.replace("loss", "parts['adversarial']"))],
        "ascent on the clean part": [(ASCENT, ASCENT.replace("loss", "parts['clean']"))],
        "eps 0.099": [(FGSM_STEP, FGSM_STEP.replace("0.1", "0.099"))],
        "no clamp": [(FGSM_STEP, "x + 0.1 * sign(g)")],
    },
    "mixup": {
        "images not mixed": [(MIXED_IMAGES + ", lam", "x, lam")],
        "targets not mixed": [(MIXED_TARGETS, "x.flip(0), t")],
        "lambda for the partner": [(MIXED_IMAGES, "(1 - lam) * x + lam * x.flip(0)")],
        "lambda for the partner's target": [
            (MIXED_TARGETS, "x.flip(0), (1 - lam) * t + lam * t.flip(0)")
        ],
        "the next image for a partner": [(MIXED, MIXED.replace("flip(0)", "roll(1, 0)"))],
        "lambda of step 0": [("unit(8000 + s", "unit(8000")],
        "no smoothing": [(SMOOTHED, "t")],
        "smoothing 0.09": [(SMOOTHED, "t * (1 - 0.09) + 0.09 / 10")],
        "smoothing over the other classes": [(SMOOTHED, "t * (1 - 0.1) + (1 - t) * 0.1 / 9")],
        "sum of the losses": [(LOSS, LOSS.replace("y)", 'y, reduction="sum")'))],
        "mean over the classes too": [(LOSS, LOSS.replace("y)", "y) / 10"))],
        "the larger target alone": [(LOSS, LOSS.replace(", y)", ", y.argmax(1))"))],
    },
    "cutmix": {
        "columns and rows exchanged": [
            (X_RANGE, X_RANGE.replace("x1, x2", "y1, y2")),
            (Y_RANGE, Y_RANGE.replace("y1, y2", "x1, x2")),
        ],
        "the partner outside the box": [
            (BOX_IMAGES, BOX_IMAGES + "\n    mixed = x + x.flip(0) - mixed")
        ],
        "images not mixed": [(BOX_IMAGES, "pass")],
        "targets not mixed": [(BOX_TARGETS, "return mixed, t")],
        "lambda for the partner's target": [
            (BOX_TARGETS, "return mixed, (1 - lam) * t + lam * t.flip(0)")
        ],
        "lambda as drawn": [(BOX_SHARE, "pass")],
        "no square root": [(CUT, CUT.replace("math.sqrt(1 - lam)", "(1 - lam)"))],
        "square root of lambda": [(CUT, CUT.replace("1 - lam", "lam"))],
        "cut rounded": [(CUT, CUT.replace("math.floor(", "round("))],
        "box of its full odd size": [
            (X_RANGE, X_RANGE.replace("cx + cut // 2", "cx + cut - cut // 2")),
            (Y_RANGE, Y_RANGE.replace("cy + cut // 2", "cy + cut - cut // 2")),
        ],
        "box with its ends": [(X_RANGE, X_RANGE.replace("cx + cut // 2", "cx + cut // 2 + 1"))],
        "box moved inside": [
            (X_RANGE, "cx = min(max(cx, cut // 2), 32 - cut // 2)\n    " + X_RANGE),
            (Y_RANGE, "cy = min(max(cy, cut // 2), 32 - cut // 2)\n    " + Y_RANGE),
        ],
        "smoothed": [(BOX_TARGETS, "return mixed, 0.9 * (lam * t + (1 - lam) * t.flip(0)) + 0.01")],
    },
    "pgd-at-mixup": {
        "smoothed": [("Case(mixup, pgd", "Case(smoothed_mixup, pgd")],
        "nothing mixed": [("Case(mixup, pgd", "Case(plain, pgd")],
        "attack on the larger target": [
            (PGD_GRADIENT, PGD_GRADIENT.replace(", y)", ", y.argmax(1))"))
        ],
        "attack on the image's own target": [
            (PGD_GRADIENT, PGD_GRADIENT.replace(", y)", ", plain(s)[1])"))
        ],
        "ball around the image before mixing": [
            (PGD_STEP, PGD_STEP.replace("x, LINF", "plain(s)[0], LINF"))
        ],
        "loss on the larger target": [(LOSS, LOSS.replace(", y)", ", y.argmax(1))"))],
        "lambda for the partner": [(MIXED_IMAGES, "(1 - lam) * x + lam * x.flip(0)")],
        "no random start": [(PGD_START, "x")],
    },
}

EXPLICIT = "-(y * F.log_softmax(logits(w, z), 1)).sum(1).mean(), {}"
AS_THE_REFERENCE = {
    "the step at w + v, v subtracted afterwards": [
        (
            STEP,
            f"[p.data.add_(d) for p, d in zip(w, v)]; {STEP}; "
            "[p.data.sub_(d) for p, d in zip(w, v)]",
        )
    ],
    "v from a step of SGD on a copy, rate 0.01": [
        (
            ASCENT,
            "[(p + 0.01 * g - p).detach() for p, g in zip(w, torch.autograd.grad(loss, w))], case",
        )
    ],
}
SAME = {
    "pgd-at-linf": {
        "the gradient of the sum": [
            (PGD_GRADIENT, PGD_GRADIENT.replace("y), z", "y, reduction='sum'), z"))
        ],
        "clamp before the projection": [
            (PGD_STEP, "into_cube((z + 0.25 * LINF * sign(g)).clamp(0, 1), x, LINF)\n")
        ],
    },
    "trades-linf": {
        "the divergence written out": [
            (
                KL,
                "kl = (F.softmax(f, 1) * (F.log_softmax(f, 1) - F.log_softmax(logits(w, z), 1)))"
                ".sum() / BATCH",
            )
        ],
        "the gradient of the mean": [
            (TRADES_LINF_GRADIENT, TRADES_LINF_GRADIENT.replace("), z)", ") / BATCH, z)"))
        ],
    },
    "n-fgsm-linf": {
        "noise clamped as a perturbation": [
            (N_FGSM_START, "x + (2 * LINF * uniform(s)).clamp(-x, 1 - x)")
        ],
    },
    "distillation": {
        "the loss written out": [
            (STUDENT, "-(soft * F.log_softmax(logits(w, x) / 20, 1)).sum(1).mean()")
        ],
    },
    "awp-pgd-at": AS_THE_REFERENCE,
    "awp-trades": AS_THE_REFERENCE,
    "awp-fgsm-joint": AS_THE_REFERENCE,
    "mixup": {
        "the loss written out": [(LOSS, "return " + EXPLICIT)],
        "labels smoothed before mixing": [
            (
                "t = F.one_hot(y, 10).double()\n    return lam",
                "t = F.one_hot(y, 10).double() * 0.9 + 0.01\n    return lam",
            ),
            (SMOOTHED, "t"),
        ],
    },
    "pgd-at-mixup": {"the loss written out": [(LOSS, "return " + EXPLICIT)]},
}
