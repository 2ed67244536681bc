"""A bundle made by hand with reference rows, and a prediction log of its answers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from darkroom.bundle.bundle import INDEX, seal
from darkroom.bundle.reference_rows import PROPERTIES, write_reference_rows
from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.rows import PredictionRow
from darkroom.runtime.files import file_hash
from tests.support.tiny_bundle import CLASSES, make_bundle

START = datetime(2026, 11, 27, 6, tzinfo=UTC)
Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray, np.ndarray]]


def answers(rng: np.random.Generator, count: int, light: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels int64 [N], probabilities float32 [N, 3] and properties float32 [N, 7] of images under so much light."""
    labels = rng.integers(0, len(CLASSES), count)
    predicted = np.where(rng.uniform(size=count) < 0.9, labels, rng.integers(0, len(CLASSES), count))
    confidence = rng.beta(20, 2, count).clip(0.4, 0.999)
    probabilities = np.repeat((1 - confidence)[:, None] / 2, 3, axis=1)
    probabilities[np.arange(count), predicted] = confidence
    brightness = light * rng.uniform(0.35, 0.65, count)
    contrast = light * rng.uniform(0.15, 0.3, count)
    sharpness = (255 * contrast) ** 2 * rng.uniform(0.05, 0.1, count)
    side = np.full(count, 64.0)
    columns = [side, side, side / 64, rng.integers(900, 1500, count), brightness, contrast, sharpness]
    return labels, probabilities.astype(np.float32), np.stack(columns, axis=1).astype(np.float32)


def make_watched_bundle(folder: Path, images: int = 400) -> Path:
    """A sealed bundle with `reference.npz`."""
    make_bundle(folder)
    labels, probabilities, properties = answers(np.random.default_rng(0), images)
    write_reference_rows(folder, probabilities, labels, properties, None)
    seal(folder, "model.onnx")
    return folder


def log_rows(bundle: Path, count: int, light: float = 1.0, seed: int = 1, after: float = 0.0) -> list[PredictionRow]:
    """Answers of a bundle, one a second.

    Args:
        bundle: that answers.
        count: of rows.
        light: on the images.
        seed: of the images.
        after: seconds after `START`.
    """
    _, probabilities, properties = answers(np.random.default_rng(seed), count, light)
    index = file_hash(bundle / INDEX)
    return [
        PredictionRow(
            time=START + timedelta(seconds=after + row),
            request=f"{seed}-{row}",
            bundle=index,
            sha256=f"{seed:032x}{row:032x}",
            session=None,
            label=CLASSES[chosen.argmax()],
            confidence=float(chosen.max()),
            abstained=False,
            probabilities=[float(each) for each in chosen],
            properties=dict(zip(PROPERTIES, measured.tolist(), strict=True)),
            features=None,
        )
        for row, (chosen, measured) in enumerate(zip(probabilities, properties, strict=True))
    ]


def write_part(path: Path, rows: list[PredictionRow]) -> None:
    """Append rows to a part in JSON lines, `log/<day>/predictions-….jsonl`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key = LogKey(path.parent.parent)
    with path.open("ab") as file:
        file.writelines(row.to_json(key) for row in rows)
