"""Pictures of which any client must make what Python makes of them."""

import io

import numpy as np
from PIL import Image


def make_pictures(size: int) -> list[bytes]:
    """PNG files that a browser must open as Python does: a larger one in colour, a smaller one in grey.

    Soft clouds of random numbers: no picture of the data, whose owners may not want it in a page.
    """
    found = []
    for seed, (height, width, channels) in enumerate(((3 * size + 5, 2 * size + 3, 3), (size, size // 2 + 1, 1))):
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, channels), dtype=np.uint8)
        picture = Image.fromarray(coarse.squeeze()).resize((width, height), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        picture.save(file, "PNG")
        found.append(file.getvalue())
    return found
