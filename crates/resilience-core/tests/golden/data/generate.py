"""Arrays and pictures as NumPy, safetensors and Pillow write them, and what Pillow makes of the pictures.

    python generate.py            # needs numpy, pillow, safetensors

x is a formula, so that the test can say what every number must be: pixel (n, c, h, w) is
(7 n + 5 c + 3 h + 11 w) mod 256. `preprocessed.bin` is what torchvision's Resize(shorter side) and
CenterCrop do to `photograph.png`, with their own arithmetic on Pillow's resize.
"""

import io
import pathlib
import zipfile

import numpy as np
import safetensors.numpy
from PIL import Image

HERE = pathlib.Path(__file__).parent

n, c, h, w = np.ogrid[:5, :3, :4, :6]
x = ((7 * n + 5 * c + 3 * h + 11 * w) % 256).astype(np.uint8)
y = np.array([2, 0, 1, 2, 1], dtype=np.int64)

np.save(HERE / "x.npy", x)
np.save(HERE / "y.npy", y.astype(np.int32))
np.savez(HERE / "stored.npz", x=x.astype(np.float32) / 255, y=y)
np.savez_compressed(HERE / "packed.npz", x=x, y=y.astype(np.uint16))
np.savez_compressed(HERE / "nhwc.npz", x_test=x.transpose(0, 2, 3, 1).copy() / 255, y_test=y.astype(np.int8))
safetensors.numpy.save_file({"x": x.astype(np.float32), "y": y}, HERE / "levels.safetensors")
np.save(HERE / "objects.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)

# Smooth in places and rough in others, so that every weight of the resizing shows.
rows, columns = np.ogrid[:37, :53]
red = (rows * 6 + columns) % 256
green = (rows * columns * 13) % 256
blue = np.where((rows + columns) % 5 == 0, 255, (rows * rows + 3 * columns) % 256)
photograph = np.stack(np.broadcast_arrays(red, green, blue), 2).astype(np.uint8)
picture = Image.fromarray(photograph)
picture.save(HERE / "photograph.png", optimize=True)
picture.save(HERE / "photograph.jpg", quality=90)
picture.convert("L").save(HERE / "grey.png", optimize=True)


def preprocess(picture, side, crop):
    width, height = picture.size
    short, long = min(width, height), max(width, height)
    new_long = int(side * long / short)
    size = (new_long, side) if height <= width else (side, new_long)
    picture = picture.resize(size, Image.BILINEAR)
    left = int(round((picture.size[0] - crop) / 2.0))
    top = int(round((picture.size[1] - crop) / 2.0))
    picture = picture.crop((left, top, left + crop, top + crop))
    return np.asarray(picture).transpose(2, 0, 1).tobytes()


cases = [(24, 21), (50, 43), (37, 36)]
(HERE / "preprocessed.bin").write_bytes(b"".join(preprocess(picture, *case) for case in cases))
# Its grey, and the JPEG as libjpeg decodes it.
(HERE / "grey.bin").write_bytes(np.asarray(picture.convert("L")).tobytes())
(HERE / "jpeg.bin").write_bytes(np.asarray(Image.open(HERE / "photograph.jpg")).transpose(2, 0, 1).tobytes())
