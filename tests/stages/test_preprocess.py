"""Packing: every image once, in its split, as the one rule makes it; statistics from training images alone."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from darkroom.images.cache import PixelCache, row_checksums
from darkroom.images.manifest import read_manifest
from darkroom.images.pack import COUNTED, choose_channels, choose_size, level_counts, load_packed, mean_and_std
from darkroom.images.pixels import to_pixels
from darkroom.network.pretrained_input import PretrainedInput
from darkroom.runtime.errors import DarkroomError
from darkroom.settings.preprocess import Preprocess
from stages import preprocess
from tests.support.packed import read_images


def run(
    root: Path, splits: Path, settings: Preprocess, cache: Path, out: Path, weights: PretrainedInput | None = None
) -> None:
    preprocess.run(
        ingest=root / "data/ingest",
        splits=splits,
        settings=settings,
        decoder="turbo",
        cache=cache,
        out=out,
        weights=weights,
    )


def test_each_image_once_with_its_label_and_pixels(prepared: Path, digit_folder: Path) -> None:
    manifest = read_manifest(prepared / "data/ingest").to_pandas().set_index("id")
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
    train = np.asarray(load_packed(prepared / "data/preprocess/train").images) / 255
    assert stats["mean"] == pytest.approx([train.mean()], abs=1e-9)
    assert stats["std"] == pytest.approx([train.std()], abs=1e-9)
    assert (stats["size"], stats["channels"], stats["resize"], stats["decoder"]) == (8, 1, "crop", "turbo")


def test_another_shape(prepared: Path, tmp_path: Path) -> None:
    splits = prepared / "data/split/splits.parquet"
    run(prepared, splits, Preprocess(size=12, channels=3, resize="stretch"), tmp_path / "cache", tmp_path / "out")
    small, large = load_packed(prepared / "data/preprocess/test"), load_packed(tmp_path / "out/test")
    assert large.images.shape == (len(small.images), 12, 12, 3)
    assert (large.images[0] == to_pixels(np.array(small.images[0]), 12, 3, "stretch")).all()


def test_the_weights_preprocessing_comes_with_them(prepared: Path, tmp_path: Path) -> None:
    weights = PretrainedInput(20, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "the weights of a network")
    splits = prepared / "data/split/splits.parquet"

    def stats_of(size: Any, channels: Any) -> dict[str, object]:
        out = tmp_path / "out"
        run(prepared, splits, Preprocess(size=size, channels=channels), tmp_path / "cache", out, weights)
        stats: dict[str, object] = json.loads((out / "stats.json").read_text(encoding="utf-8"))
        return stats

    stats = stats_of("auto", "auto")
    assert (stats["size"], stats["channels"], stats["mean"], stats["std"]) == (20, 3, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    assert stats["statistics_of"] == "the weights of a network"
    assert load_packed(tmp_path / "out/test").images.shape[1:] == (20, 20, 3)
    stats = stats_of(12, 1)
    assert (stats["size"], stats["channels"]) == (12, 1) and stats["mean"] == pytest.approx([0.2])


def test_what_is_chosen_for_the_user() -> None:
    sides = np.array([100, 90, 3000], dtype=np.int32)
    assert choose_size(sides) == 64
    assert choose_size(np.array([28, 28, 29], dtype=np.int32)) == 28
    assert choose_size(np.array([3], dtype=np.int32)) == 8
    assert choose_channels({"L", "1", "La", "I;16", "I;16L"}) == 1
    assert choose_channels({"L", "RGB"}) == 3


def test_a_channel_that_never_varies() -> None:
    mean, std = mean_and_std(level_counts(np.full((2, 8, 8, 1), 51, dtype=np.uint8)))
    assert (mean, std) == ((0.2,), (1.0,))


def test_many_images_are_counted_as_few_are() -> None:
    images = np.random.default_rng(0).integers(0, 256, (COUNTED + 7, 2, 2, 3), dtype=np.uint8)
    mean, std = mean_and_std(level_counts(images))
    assert mean == pytest.approx((images / 255).mean(axis=(0, 1, 2)), abs=1e-12)
    assert std == pytest.approx((images / 255).std(axis=(0, 1, 2)), abs=1e-12)


def run_again(root: Path, resize: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, bytes]:
    """How many images preprocess decodes this time, and the pixels of the training images."""
    data = root / "data"
    splits = data / "split/splits.parquet"
    capsys.readouterr()
    settings = Preprocess(size=8, channels=1, resize=resize)
    run(root, splits, settings, root / ".darkroom/cache", root / "data/preprocess")
    decoded = capsys.readouterr().out.split(" images, ")[1].split(" of them decoded")[0]
    return int(decoded), read_images(root / "data/preprocess/train").tobytes()


def test_pixels_made_by_another_rule_are_not_reused(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(prepared, tmp_path / "root")
    first, crop = run_again(root, "crop", capsys)
    assert first == 0 and crop == read_images(prepared / "data/preprocess/train").tobytes()
    assert run_again(root, "pad", capsys)[0] == 120
    assert run_again(root, "pad", capsys)[0] == 0
    assert run_again(root, "crop", capsys) == (120, crop)


def test_samples_of_images_that_are_gone_are_given_up_and_other_shapes_are(tmp_path: Path) -> None:
    def cached(side: int, numbers: range) -> PixelCache:
        rows = PixelCache(tmp_path / "cache", "a rule", (side, side, 1))
        hashes = [f"{number:064x}" for number in numbers]
        pixels = np.zeros((len(hashes), side, side, 1), np.uint8)
        missing = np.flatnonzero(~rows.copy_to(hashes, pixels))
        rows.append([hashes[row] for row in missing], pixels[missing], row_checksums(pixels[missing]))
        rows.save()
        return rows

    def there(numbers: range) -> list[pa.ChunkedArray]:
        return [pa.chunked_array([[f"{number:064x}"]]) for number in numbers]

    cached(4, range(10))
    rows = cached(2, range(100))
    rows.give_up(there(range(50, 500)))
    assert (tmp_path / "cache/2x1/pixels.bin").stat().st_size == 400 and not (tmp_path / "cache/4x1").exists()
    rows.give_up(there(range(51, 500)))
    assert not (tmp_path / "cache/2x1/pixels.bin").exists()
    cached(2, range(30))
    assert (tmp_path / "cache/2x1/pixels.bin").stat().st_size == 120


def test_a_table_of_other_images_stops(prepared: Path, tmp_path: Path) -> None:
    table = pq.read_table(prepared / "data/split/splits.parquet")
    pq.write_table(table.slice(1), tmp_path / "splits.parquet")
    with pytest.raises(DarkroomError, match=r"does not belong to .*manifest: run `dvc repro`"):
        run(prepared, tmp_path / "splits.parquet", Preprocess(), tmp_path / "cache", tmp_path / "out")
