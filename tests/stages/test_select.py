"""Selection: what is set stays; small images get a network that learns from nothing, photographs a pretrained one."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from darkroom.images.manifest import read_manifest
from darkroom.inference.features import features
from darkroom.model.classes import ClassList
from darkroom.network.pretrained_input import PACKAGES
from darkroom.runtime.errors import DarkroomError
from darkroom.selection import candidates
from darkroom.selection.choice import FILE, Choice, read_choice, stored_plan
from darkroom.selection.scoring import HeadScores, InputForm, TrainingImages
from darkroom.settings.preprocess import Preprocess
from darkroom.settings.train import Train
from stages import select
from tests.conftest import ingest_source

INSTALLED = pytest.mark.skipif(len(candidates.backbones("imagenet")) < 3, reason="no pretrained weights are installed")


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
        decoder="turbo",
        cache=root / ".darkroom/cache",
        out=out,
        features=out.parent / "features",
    )
    return read_choice(out)


def test_small_images_get_a_network_that_learns_from_nothing(prepared: Path, tmp_path: Path) -> None:
    choice = run(prepared, tmp_path / "select")
    assert (choice.settings, choice.tried) == ({"network": "small_image_net"}, [])


@INSTALLED
def test_photographs_get_a_head_on_the_fastest_backbone_and_a_rerun_takes_the_stored_plan(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    two = ("timm/tf_efficientnet_lite0", "timm/tf_efficientnet_lite1")
    monkeypatch.setattr(candidates, "PACKAGES", {name: PACKAGES[name] for name in two})
    choice = run(photographs, tmp_path / "select", size=72)
    chosen = ("timm/tf_efficientnet_lite0", "imagenet", "backbone")
    assert tuple(choice.settings[name] for name in ("network", "weights", "freeze")) == chosen
    assert [(row["network"][-5:], row["pooling"]) for row in choice.tried] == [
        (f"lite{number}", pooling) for number in range(2) for pooling in ("grid", "mean")
    ]
    # Five folds of the six images of each class judge all of them.
    assert {row["images"] for row in choice.tried} == {12}
    assert len(capsys.readouterr().out.splitlines()) == 3
    first = (tmp_path / "select" / FILE).read_bytes()
    monkeypatch.setattr(HeadScores, "seconds", None)
    run(photographs, tmp_path / "select", size=72)
    assert (tmp_path / "select" / FILE).read_bytes() == first
    assert not (photographs / ".darkroom/cache/select").exists()


@INSTALLED
def test_a_budget_of_minutes_plans_a_fine_tuning_unless_it_is_set_what_is_frozen(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "PACKAGES", {name: PACKAGES[name] for name in ("timm/tf_efficientnet_lite0",)})
    usual = run(photographs, tmp_path / "select", size=72)
    assert set(usual.plan) == {"first", "most", "made_for"}
    found = run(photographs, tmp_path / "select", size=72, budget=10.0)
    assert found.plan["fine_tuning"] == {"epochs": 8, "forms": 7, "most": 128}
    assert (found.settings, found.tried) == (usual.settings, usual.tried)
    assert "fine_tuning" not in run(photographs, tmp_path / "other", size=72, budget=10.0, freeze="backbone").plan


@INSTALLED
def test_what_is_set_stays(photographs: Path, tmp_path: Path) -> None:
    assert run(photographs, tmp_path / "select", network="resnet18").settings == {}
    assert run(photographs, tmp_path / "select", weights="none").settings == {"network": "small_image_net"}
    assert run(photographs, tmp_path / "select", size=16).settings == {"network": "small_image_net"}
    found = run(photographs, tmp_path / "select", size=72, pooling="mean", freeze="none").settings
    assert (found["pooling"], found["freeze"]) == ("mean", "none")


def test_without_weights_on_this_machine_photographs_are_learnt_from_nothing(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "in_package", lambda name: False)
    choice = run(photographs, tmp_path / "select")
    assert choice.settings == {"network": "small_image_net"}
    assert choice.reason == "no weights of a pretrained network are installed on this machine"
    with pytest.raises(DarkroomError, match=r"set train\.weights=download, or train.network to a name"):
        run(photographs, tmp_path / "select", weights="imagenet")


def test_a_damaged_plan_is_made_anew(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "select").mkdir()
    (tmp_path / "select" / FILE).write_text("{")
    assert stored_plan(tmp_path / "select") == {} == stored_plan(tmp_path / "none")
    assert "the plan of the previous run does not count" in capsys.readouterr().out


@INSTALLED
@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_made_of_the_loaded_network_has_the_features_that_train_finds(channels: int, tmp_path: Path) -> None:
    network = candidates.backbones("imagenet")[0]
    classes = ClassList(("cat", "dog"))
    images = TrainingImages(pa.table({}), np.zeros(0, np.int64), np.zeros(0, np.int64), classes, tmp_path)
    scores = HeadScores(
        images, InputForm(32, channels, "crop", "turbo", None, "imagenet", "float32"), 0, tmp_path, None
    )
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, channels), dtype=np.uint8)
    alone = features(scores._model(network, "grid"), pixels, cache=tmp_path / "features")
    scores._models.clear()
    scores._model(network, "mean")
    beside = features(scores._model(network, "grid"), pixels, cache=None)
    assert torch.equal(alone, beside)
    # Found again under the same name.
    features(scores._model(network, "grid"), pixels, cache=tmp_path / "features")
    assert len(list((tmp_path / "features").iterdir())) == 1
