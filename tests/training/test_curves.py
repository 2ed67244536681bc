from pathlib import Path

import pytest
from dvclive import Live

from darkroom.runtime.errors import DarkroomError
from darkroom.training.curves import read_curves


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What DVCLive writes for three epochs."""
    with Live(str(tmp_path / "train"), dvcyaml=None, save_dvc_exp=False) as live:
        for epoch in range(1, 4):
            live.step = epoch
            for split in ("train", "validation"):
                live.log_metric(f"{split}/loss", 1 / epoch)
                live.log_metric(f"{split}/accuracy", 1 - 1 / (epoch + 1))
    return tmp_path / "train"


def test_curves_are_what_dvclive_logged(folder: Path) -> None:
    curves = read_curves(folder, 3)
    assert curves.train["loss"] == curves.validation["loss"] == [1, 1 / 2, 1 / 3]
    assert curves.validation["accuracy"] == [1 - 1 / 2, 1 - 1 / 3, 1 - 1 / 4]


def test_a_missing_curve_is_named(folder: Path) -> None:
    (folder / "plots/metrics/validation/loss.tsv").unlink()
    with pytest.raises(DarkroomError, match=r"no .*validation/loss\.tsv.*dvc repro train"):
        read_curves(folder, 3)


def test_curves_of_another_training_stop(folder: Path) -> None:
    with pytest.raises(DarkroomError, match="have 3 epochs, and the model is of epoch 7"):
        read_curves(folder, 7)
