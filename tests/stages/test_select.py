"""Selection: what is set stays; small images get a network that learns from nothing, photographs a pretrained one."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from darkroom.images.manifest import read_manifest
from darkroom.selection import candidates
from darkroom.selection.choice import Choice, read_choice
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.train import Train
from stages import select
from tests.conftest import ingest_source


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with data/ up to the split: twelve pictures of 100 x 90 pixels in two classes."""
    root = tmp_path_factory.mktemp("photographs")
    draw = np.random.default_rng(0)
    for number in range(12):
        folder = root / "images" / ("cat", "dog")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (90, 100, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    ingest_source("folder", root / "images", root)
    manifest = read_manifest(root / "data/ingest")
    (root / "data/split").mkdir()
    table = pa.table({"id": manifest["id"], "split": ["train"] * 12, "group": manifest["id"]})
    pq.write_table(table, root / "data/split/splits.parquet")
    return root


def run(root: Path, out: Path, size: int | str = "auto", **settings: Any) -> Choice:
    select.run(
        ingest=root / "data/ingest",
        splits=root / "data/split/splits.parquet",
        train=Train(**settings),
        preprocess=Preprocess.model_validate({"size": size}),
        out=out,
    )
    return read_choice(out)


def test_small_images_get_a_network_that_learns_from_nothing(prepared: Path, tmp_path: Path) -> None:
    assert run(prepared, tmp_path / "select").settings == {"network": "small_image_net"}


@pytest.mark.skipif(not candidates.backbones(), reason="no pretrained weights are installed")
def test_photographs_get_a_head_on_a_pretrained_backbone(photographs: Path, tmp_path: Path) -> None:
    assert run(photographs, tmp_path / "select").settings == {
        "network": "timm/tf_efficientnet_lite0",
        "weights": "imagenet",
        "pooling": "grid",
        "freeze": "backbone",
    }


def test_what_is_set_stays(photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(photographs, tmp_path / "select", network="resnet18").settings == {}
    assert run(photographs, tmp_path / "select", weights="none").settings == {"network": "small_image_net"}
    assert run(photographs, tmp_path / "select", size=48).settings == {"network": "small_image_net"}
    monkeypatch.setattr(candidates, "in_package", lambda name: True)
    found = run(photographs, tmp_path / "select", pooling="mean", freeze="none").settings
    assert (found["pooling"], found["freeze"]) == ("mean", "none")


def test_without_weights_on_this_machine_photographs_are_learnt_from_nothing(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "in_package", lambda name: False)
    choice = run(photographs, tmp_path / "select")
    assert choice.settings == {"network": "small_image_net"}
    assert "no pretrained weights are on this machine" in choice.reason
