"""What a network learns from nothing in a cross-validation, on pictures that any network can tell apart."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from darkroom.images.pack import PixelForm
from darkroom.model.classes import ClassList
from darkroom.selection.from_nothing import correct_from_nothing
from darkroom.selection.scoring import TrainingImages
from darkroom.settings.train import Train
from darkroom.training.heads import fold_numbers


@pytest.mark.slow
def test_it_answers_for_each_image_in_a_fold_and_repeats_itself(tmp_path: Path) -> None:
    labels = np.arange(30) % 2
    offsets, content = [0], b""
    for number, label in enumerate(labels):
        file = io.BytesIO()
        pixels = np.random.default_rng(number).integers(0, 60, (8, 8), dtype=np.uint8) + np.uint8(150 * label)
        Image.fromarray(pixels).save(file, "PNG")
        content += file.getvalue()
        offsets.append(len(content))
    (tmp_path / "all.bin").write_bytes(content)
    table = pa.table(
        {
            "sha256": [f"{number:064x}" for number in range(30)],
            "shard": ["all"] * 30,
            "offset": offsets[:-1],
            "bytes": np.diff(offsets),
        }
    )
    images = TrainingImages(table, labels, np.arange(30), ClassList(("dark", "light")), tmp_path)
    form = PixelForm(8, 1, "pad", "pillow", None)
    rows, folds = np.arange(30), fold_numbers(labels)
    folds[:5] = -1

    def correct(work: str) -> list[bool]:
        (tmp_path / work).mkdir()
        found: list[bool] = correct_from_nothing(
            images, rows, folds, form, Train(), tmp_path / "cache", tmp_path / work
        ).tolist()
        return found

    first = correct("one")
    assert len(first) == 25 and sum(first) > 20
    assert correct("two") == first
