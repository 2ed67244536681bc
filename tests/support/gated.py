"""A candidate's folder with data, reports and bundle, and bundles whose mistakes are chosen: for tests of the gate."""

import io
import json
import shutil
from collections.abc import Collection
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

from darkroom.bundle.bundle import seal
from darkroom.runtime.files import file_hash
from tests.conftest import ROOT
from tests.support.revisions import Kept, write_version
from tests.support.tiny_bundle import make_bundle

NAMES = ("ant", "bee", "cow")
# Marks that an image can have: a model is wrong on images with the marks that it was made to be wrong on.
MARKS = 8


def image(number: int, label: int, marks: Collection[int] = ()) -> bytes:
    """A PNG file of 8 x 8 grey pixels that shows its class, its marks and its number, which no model looks at."""
    pixels = np.zeros(64, np.uint8)
    pixels[label] = 255
    for mark in marks:
        pixels[8 + mark] = 255
    pixels[32:34] = divmod(number, 256)
    file = io.BytesIO()
    Image.fromarray(pixels.reshape(8, 8)).save(file, "PNG")
    return file.getvalue()


def model(
    folder: Path, wrong: Collection[int] = (), classes: tuple[str, ...] = NAMES, confidence: float = 10.0
) -> Path:
    """A bundle that predicts the class that an image shows, and the next one where it has one of the marks `wrong`."""
    make_bundle(folder, classes, threshold=None)
    graph = onnx.load(folder / "model.onnx")
    weights = np.zeros((64, len(classes)), np.float32)
    for label in range(len(classes)):
        weights[label, label] = confidence
    for mark in wrong:
        # Only images of class 0 and 1 are marked: the class after theirs is 1 or 2, and 2 has no other bright pixel.
        weights[8 + mark, -1] = 2 * confidence
    for tensor in graph.graph.initializer:
        if tensor.name == "weights":
            tensor.CopyFrom(numpy_helper.from_array(weights, "weights"))
    onnx.save(graph, folder / "model.onnx")
    seal(folder, "model.onnx")
    return folder


def marked(counts: dict[int, int], images: int, first: int = 0, split: str = "test") -> list[Kept]:
    """Images of the three classes in turn; `counts` of them have a mark each, on images of the first two classes."""
    marks = [mark for mark, count in counts.items() for _ in range(count)]
    kept = []
    for number in range(first, first + images):
        label = number % 3
        of = [marks.pop()] if marks and label < 2 else []
        name = NAMES[label]
        kept.append(Kept(f"{name}/{number:04}.png", name, split, image(number, label, of)))
    assert not marks
    return kept


def candidate_root(
    root: Path, images: list[Kept], wrong: Collection[int] = (), classes: tuple[str, ...] = NAMES
) -> Path:
    """A root as the line leaves it: data, the reports that the gate reads, settings, and `model(wrong)` as the bundle."""
    write_version(root, images, classes, {}, None)
    bundle = model(root / "models/export", wrong, classes)
    expectations = [{"name": "images in a class", "status": "passed", "stops": True}]
    write(root / "reports/validate/validation.json", {"stops_the_line": False, "expectations": expectations})
    entry = {
        "sha256": file_hash(bundle / "model.onnx"),
        "largest_difference": 0.0,
        "label_agreement": 1.0,
        "limit": {"probability_difference": 0.001},
    }
    write(root / "reports/export/parity.json", {"graphs": {"model.onnx": entry}})
    shutil.copy(ROOT / "params.yaml", root / "params.yaml")
    return root


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
