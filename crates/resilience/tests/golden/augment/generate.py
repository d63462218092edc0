"""Horizontal flip and rotation as torchvision 0.26 does them, nearest and bilinear.

    pip install torch==2.11.0; pip install --no-deps torchvision==0.26.0 pillow
    python generate.py        (writes augment.json, nearest.bin and bilinear.bin beside it)

Input: one image [3,32,32], element i = byte(7000, i) of ../formula.py, as float32 byte / 255. For
every angle of the list, first without and then with a flip: the image is flipped (columns in
reverse) where it says so, then rotated by torchvision.transforms.functional.rotate(image, angle)
with no other argument but the interpolation. That is: degrees, counter-clockwise positive, about
the centre of the image, same size, zeros outside.

In words: the output's pixel in column c, row r has its centre at x = c + 0.5 - 16, y = r + 0.5 - 16
(y down). With a = angle * pi / 180 its value is that of the flipped input at

    x' = cos(a) x - sin(a) y,    y' = sin(a) x + cos(a) y,

that is, at column x' + 15.5 and row y' + 15.5 as real numbers. Nearest: the nearest column and row
(no pixel here is within 1e-4 of a tie), zero where either is outside 0..31. Bilinear: the mean of
the four pixels around it, weighted by nearness, pixels outside counting as zero.
The generator checks torchvision against this in float64: nearest equal, bilinear within 2e-5.

Fixture: augment.json has `angles`. nearest.bin: [angle][flip: no, yes][3][32][32] bytes, the
result of nearest times 255. bilinear.bin: the same shape, float32 little-endian, bilinear, in
[0, 1].
"""

import os
import sys

import numpy as np
import torch
import torchvision
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as TF

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import formula  # noqa: E402

ANGLES = [-15.0, -9.7, -4.4, 0.0, 0.9, 6.1, 11.3, 14.6]
SIDE = 32


def sample(image, angle):
    """Nearest and bilinear by the formula above in float64, and the distance to the nearest tie."""
    a = angle * np.pi / 180
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5 - SIDE / 2
    column = np.cos(a) * x - np.sin(a) * y + SIDE / 2 - 0.5
    row = np.sin(a) * x + np.cos(a) * y + SIDE / 2 - 0.5

    def pixel(r, c):
        inside = (r >= 0) & (r < SIDE) & (c >= 0) & (c < SIDE)
        return image[:, r.clip(0, SIDE - 1), c.clip(0, SIDE - 1)] * inside

    nearest = pixel(np.floor(row + 0.5).astype(int), np.floor(column + 0.5).astype(int))
    tie = min(np.abs(v + 0.5 - np.round(v + 0.5)).min() for v in (row, column))
    r, c = np.floor(row).astype(int), np.floor(column).astype(int)
    dr, dc = row - r, column - c
    bilinear = (
        pixel(r, c) * (1 - dr) * (1 - dc)
        + pixel(r, c + 1) * (1 - dr) * dc
        + pixel(r + 1, c) * dr * (1 - dc)
        + pixel(r + 1, c + 1) * dr * dc
    )
    return nearest, bilinear, tie


def main():
    raw = formula.byte(7000, (3, SIDE, SIDE))
    image = raw.float() / 255
    nearest, bilinear = [], []
    for angle in ANGLES:
        for flip in (False, True):
            x = TF.hflip(image) if flip else image
            by_nearest = TF.rotate(x, angle)
            by_bilinear = TF.rotate(x, angle, InterpolationMode.BILINEAR)
            ours = sample(x.double().numpy(), angle)
            assert ours[2] > 1e-4, (angle, ours[2])
            assert np.array_equal(ours[0], by_nearest.double().numpy()), angle
            apart = np.abs(ours[1] - by_bilinear.numpy()).max()
            assert apart < 2e-5, (angle, apart)
            print(angle, flip, f"nearest equal, bilinear {apart:.1e} apart, tie {ours[2]:.1e}")
            nearest.append((by_nearest * 255).round().to(torch.uint8).numpy())
            bilinear.append(by_bilinear.numpy())
    np.stack(nearest).tofile(os.path.join(HERE, "nearest.bin"))
    np.stack(bilinear).astype("<f4").tofile(os.path.join(HERE, "bilinear.bin"))
    versions = {"torchvision": torchvision.__version__.split("+")[0]}
    formula.write(os.path.join(HERE, "augment.json"), versions | {"angles": ANGLES})


if __name__ == "__main__":
    main()
