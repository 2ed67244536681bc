"""The predict stage: one table with every answer, the same bytes from the same inputs, and stops before what does not fit."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from darkroom.images.manifest import read_manifest
from darkroom.images.pack import load_packed
from darkroom.inference.explained import load_explained
from darkroom.inference.logits import logits
from darkroom.inference.predictions import read_predictions
from darkroom.model.classes import ClassList
from darkroom.model.spec import load_spec
from darkroom.network.load import load_model
from darkroom.runtime.errors import DarkroomError
from tests.support.line import run_predict

OUTPUTS = ["damaged.npy", "explained.json", "heatmaps.npy", "predictions.parquet"]


@pytest.fixture
def copied(scored: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(scored, tmp_path / "copied")


def test_every_image_is_predicted_as_the_network_does(scored: Path) -> None:
    assert sorted(path.name for path in (scored / "data/predict").iterdir()) == OUTPUTS
    found = read_predictions(scored / "data/predict")
    network, spec = load_model(scored / "models/train")
    assert found.run.classes == spec.classes.names and found.run.class_hash == spec.classes.hash
    assert (found.run.network, found.run.epoch, found.run.data_version) == ("simple_cnn", 2, spec.data_version)
    manifest = read_manifest(scored / "data/ingest").to_pandas().set_index("id")
    for split in ("test", "validation", "train"):
        packed, rows = load_packed(scored / "data/preprocess" / split), getattr(found, split)
        assert rows.ids == [name.decode() for name in packed.ids.tolist()]
        assert rows.labels.tolist() == packed.labels.tolist()
        known = manifest.loc[rows.ids]
        assert rows.rows["path"].to_pylist() == known["path"].tolist()
        np.testing.assert_array_equal(rows.rows["brightness"].to_numpy(), known["brightness"])
        if split != "train":
            expected = logits(network, packed.images, torch.device("cpu"), None)
            np.testing.assert_allclose(rows.answers, expected, atol=1e-5)
    assert np.allclose(found.train.answers.sum(axis=1), 1)


def test_test_images_are_damaged_and_explained(scored: Path) -> None:
    found, explained = read_predictions(scored / "data/predict"), load_explained(scored / "data/predict")
    assert len(found.damaged) == 21 and all(len(each.rows) == 8 for each in found.damaged)
    assert np.array_equal(found.damaged[0].rows, np.unique(np.linspace(0, len(found.test.ids) - 1, 8).astype(int)))
    predicted = found.test.answers.argmax(axis=1)
    choice = explained.choice
    assert 0 < len(choice.mistakes) <= 4 and (predicted != found.test.labels)[choice.mistakes].all()
    assert all((predicted[rows] == k).all() for k, rows in choice.typical.items())
    assert explained.gallery == 4 and explained.method == found.run.explanation
    assert sorted(explained.heat) == choice.rows()
    assert all(heat.shape == (8, 8) and 0 <= heat.min() <= heat.max() <= 1 for heat in explained.heat.values())
    assert explained.damaged.shape == (4, 6, 8, 8, 1)


def test_the_same_inputs_give_the_same_bytes(scored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "network.pt2"
    conversion = MagicMock(begin=lambda write: write(program))
    run_predict(scored, out=tmp_path / "again", graphs=tmp_path / "graphs", conversion=conversion)
    assert torch.export.load(program).example_inputs[1]["images"].shape == (1, 8, 8, 1)
    conversion.folder.assert_called_once()
    assert (tmp_path / "graphs/network.onnx").read_bytes() == (scored / "models/predict/network.onnx").read_bytes()
    for name in OUTPUTS:
        found = (tmp_path / "again" / name).read_bytes()
        assert found == (scored / "data/predict" / name).read_bytes(), name
        assert str(scored).encode() not in found, f"{name} holds a path of this machine"
    assert "predict: simple_cnn, epoch 2; 26 test, " in capsys.readouterr().out


def damage_class_hash(line: Path) -> None:
    path = line / "data/preprocess/stats.json"
    stats = json.loads(path.read_text())
    path.write_text(json.dumps(stats | {"class_hash": "0" * 64}))


def swap_classes_of_model(line: Path) -> None:
    spec = load_spec(line / "models/train/model.json")
    replace(spec, classes=ClassList(("one", "zero", "two"))).save(line / "models/train/model.json")


def swap_classes_of_ingest(line: Path) -> None:
    ClassList(("one", "zero", "two")).save(line / "data/ingest/classes.json")


def train_on_other_data(line: Path) -> None:
    spec = load_spec(line / "models/train/model.json")
    replace(spec, data_version="0" * 12).save(line / "models/train/model.json")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_class_hash, r"stats\.json was made with another class list"),
        (swap_classes_of_model, r"models/train was made with another class list .*in another order: "),
        (swap_classes_of_ingest, r"models/train was made with another class list .*in another order: "),
        (train_on_other_data, r"trained on data version 000000000000, .* may have been trained on"),
    ],
)
def test_what_does_not_belong_together_stops_and_leaves_the_last_predictions(
    copied: Path, damage: Callable[[Path], None], message: str
) -> None:
    before = (copied / "data/predict/predictions.parquet").read_bytes()
    damage(copied)
    with pytest.raises(DarkroomError, match=message):
        run_predict(copied)
    assert (copied / "data/predict/predictions.parquet").read_bytes() == before
    assert not list(copied.glob("*/.predict.partial"))
