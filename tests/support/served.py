"""A service around a bundle made by hand, with pictures to ask about."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from darkroom.bundle.bundle import load_bundle
from darkroom.predict.answers import Prediction, predict_files


def make_pictures(folder: Path, number: int = 6) -> list[Path]:
    """Write PNG and JPEG files of noise, of several sizes."""
    folder.mkdir()
    paths = []
    for seed in range(number):
        form = "jpg" if seed % 3 == 2 else "png"
        pixels = np.random.default_rng(seed).integers(0, 256, (12 + seed, 9), np.uint8)
        paths.append(folder / f"{seed}.{form}")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def as_the_command(bundle: Path, paths: list[Path]) -> list[Prediction]:
    """The predictions that `darkroom.predict` gives for the files."""
    found = predict_files(load_bundle(bundle), paths)
    return [each for each in found if isinstance(each, Prediction)]


def cut_picture() -> bytes:
    """A PNG whose end is missing."""
    file = io.BytesIO()
    Image.new("L", (40, 30), 90).save(file, "PNG")
    return file.getvalue()[:60]
