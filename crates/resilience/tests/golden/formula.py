"""Numbers by formula, so that a test in another language makes the same inputs without a file.

All integers are 64-bit and wrap around:

    mix(x)        x += 0x9E3779B97F4A7C15
                  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
                  x = (x ^ (x >> 27)) * 0x94D049BB133111EB
                  x ^ (x >> 31)                                     (splitmix64)
    word(s, i)    mix(mix(s) + i)            stream s, element i in row-major order
    unit(s, i)    (word(s, i) >> 11) * 2^-53                 float64 in [0, 1)
    signed(s, i)  2 * unit(s, i) - 1                         float64 in [-1, 1)
    byte(s, i)    word(s, i) >> 56                           0 to 255
    label(s, i)   word(s, i) % 10                            0 to 9

Every operation on floats is exact or a single correctly rounded one, so all languages agree to the
bit. `python formula.py` prints a few values to compare with.
"""

import json
import re

import numpy as np
import torch


def mix(x):
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def word(stream, n):
    """The first n words of a stream."""
    start = mix(np.array([stream], dtype=np.uint64))
    return mix(start + np.arange(n, dtype=np.uint64))


def unit(stream, shape):
    n = int(np.prod(shape))
    values = (word(stream, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return torch.from_numpy(values.reshape(shape))


def signed(stream, shape):
    return 2 * unit(stream, shape) - 1


def byte(stream, shape):
    n = int(np.prod(shape))
    return torch.from_numpy((word(stream, n) >> np.uint64(56)).astype(np.uint8).reshape(shape))


def label(stream, n):
    return torch.from_numpy((word(stream, n) % np.uint64(10)).astype(np.int64))


def digest(tensor, stream):
    """A tensor in four figures: sum, Euclidean norm, product with signed(stream), first entries."""
    flat = tensor.detach().double().reshape(-1)
    return {
        "sum": flat.sum().item(),
        "norm": flat.norm().item(),
        "projection": (flat * signed(stream, flat.shape)).sum().item(),
        "first": flat[:8].tolist(),
    }


def write(path, fixture):
    """JSON, floats with as many digits as it takes to read the same float64 back; a list a line."""
    text = json.dumps(fixture, indent=1)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    for stream in (0, 1000):
        print(stream, "word  ", [hex(w) for w in word(stream, 3)])
        print(stream, "unit  ", unit(stream, (3,)).tolist())
        print(stream, "byte  ", byte(stream, (8,)).tolist())
        print(stream, "label ", label(stream, 8).tolist())
