"""A root with images that wait for labels, and a bundle that scores them: made in some milliseconds."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from darkroom.bundle.bundle import Bundle, load_bundle, seal
from darkroom.labelling.__main__ import open_queue
from darkroom.labelling.queue import Queue
from tests.support.tiny_bundle import make_bundle


def make_reference_bundle(folder: Path, classes: tuple[str, ...]) -> Bundle:
    """A bundle whose reference has pictures of middle brightness."""
    make_bundle(folder, classes)
    usual = {"brightness": (0.5, 0.1), "contrast": (0.3, 0.1), "sharpness": (50_000.0, 1e6)}
    properties = {name: {"mean": mean, "std": std} for name, (mean, std) in usual.items()}
    (folder / "reference.json").write_text(json.dumps({"embedding": None, "properties": properties}))
    seal(folder, "model.onnx")
    return load_bundle(folder)


def png(seed: int, brightness: float = 1.0, side: int = 8) -> bytes:
    """A picture of noise; its mean is about half the brightness."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side)) * brightness
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def store_samples(root: Path, pictures: list[bytes], answered: int = 0, day: str = "2026-11-28") -> list[str]:
    """Store pictures as the service does; returns their hashes."""
    folder = root / ".darkroom/samples" / day
    folder.mkdir(parents=True, exist_ok=True)
    hashes = [hashlib.sha256(data).hexdigest() for data in pictures]
    for sha256, data in zip(hashes, pictures, strict=True):
        (folder / f"{sha256}.png").write_bytes(data)
    (folder / "day.json").write_text(json.dumps({"answered": answered or len(pictures)}))
    return hashes


def open_tiny_queue(root: Path, classes: tuple[str, ...] = ("cat", "dog", "été")) -> tuple[Queue, Bundle]:
    """The queue over what waits in a root."""
    folder = root / "bundle"
    bundle = load_bundle(folder) if folder.exists() else make_reference_bundle(folder, classes)
    return open_queue(root, bundle, [], "Ann"), bundle
