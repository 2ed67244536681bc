"""Packing: every image once, in its split, as the one rule makes it; statistics from training images alone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from darkroom.images.packed import load_packed
from darkroom.images.packing import choose_channels, choose_size, mean_and_std
from darkroom.images.pixels import to_pixels
from stages import preprocess


def test_each_image_once_with_its_label_and_pixels(prepared: Path, digit_folder: Path) -> None:
    manifest = pd.read_parquet(prepared / "data/ingest/manifest.parquet").set_index("id")
    splits = pd.read_parquet(prepared / "data/split/splits.parquet").set_index("id")["split"]
    seen = []
    for split in ("train", "validation", "test"):
        packed = load_packed(prepared / "data/preprocess" / split)
        assert isinstance(packed.images, np.memmap)
        for image_id, label, pixels in zip(packed.ids, packed.labels, packed.images, strict=True):
            row = manifest.loc[image_id.decode()]
            assert splits[image_id.decode()] == split
            assert ["one", "two", "zero"][label] == row["label"]
            assert (pixels[..., 0] == np.asarray(Image.open(digit_folder / str(row["path"])))).all()
            seen.append(image_id.decode())
    assert sorted(seen) == sorted(manifest.index)


def test_statistics_come_from_training_images_alone(prepared: Path) -> None:
    stats = json.loads((prepared / "data/preprocess/stats.json").read_text(encoding="utf-8"))
    train = load_packed(prepared / "data/preprocess/train").images / 255
    assert stats["mean"] == pytest.approx([train.mean()], abs=1e-9)
    assert stats["std"] == pytest.approx([train.std()], abs=1e-9)
    assert (stats["size"], stats["channels"], stats["resize"]) == (8, 1, "crop")


def test_another_shape(prepared: Path, tmp_path: Path) -> None:
    splits = prepared / "data/split/splits.parquet"
    preprocess.run(prepared / "data/ingest", splits, 12, 3, "stretch", tmp_path / "out")
    small, large = load_packed(prepared / "data/preprocess/test"), load_packed(tmp_path / "out/test")
    assert large.images.shape == (len(small.images), 12, 12, 3)
    assert (large.images[0] == to_pixels(Image.fromarray(small.images[0, ..., 0]), 12, 3, "stretch")).all()


def test_what_is_chosen_for_the_user() -> None:
    sides = np.array([100, 90, 3000], dtype=np.int32)
    assert choose_size(sides, sides) == 64
    assert choose_size(np.array([30, 28], dtype=np.int32), np.array([28, 90], dtype=np.int32)) == 28
    assert choose_size(np.array([3], dtype=np.int32), np.array([3], dtype=np.int32)) == 8
    assert choose_channels({"L", "1", "I;16"}) == 1
    assert choose_channels({"L", "RGB"}) == 3


def test_a_channel_that_never_varies() -> None:
    mean, std = mean_and_std(np.full((2, 8, 8, 1), 51, dtype=np.uint8))
    assert (mean, std) == ((0.2,), (1.0,))
