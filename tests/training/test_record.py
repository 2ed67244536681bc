import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.training.curves import Epoch
from darkroom.training.recipe import FineTuned
from darkroom.training.record import (
    Example,
    TrainingRecord,
    UsedSetting,
    read_record,
    require_same_epoch,
    write_record,
)

EPOCHS = [Epoch(1, 0.5, 0.75, math.inf, 0.25, 0.1), Epoch(2, 0.25, 0.875, 0.5, 0.75, 0.05)]
PICTURE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
RECORD = TrainingRecord(
    EPOCHS,
    EPOCHS[1],
    [UsedSetting("epochs", "2", ""), UsedSetting("optimizer", "adam", "few images")],
    [Example("cat", PICTURE, [(PICTURE + 1, "62% cat, 38% dog")])],
)


def test_a_record_reads_back_as_it_was_written_without_infinities(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    found = read_record(tmp_path)
    assert found.best == found.epochs[1] == EPOCHS[1] and found.settings == RECORD.settings
    assert math.isnan(found.epochs[0].validation_loss) and found.epochs[0].train_loss == 0.5
    (example,) = found.examples
    assert example.label == "cat" and np.array_equal(example.image, PICTURE)
    ((picture, text),) = example.draws
    assert text == "62% cat, 38% dog" and np.array_equal(picture, PICTURE + 1)


def test_a_fine_tuning_reads_back_and_is_not_named_where_there_was_none(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    assert "fine_tuning" not in (tmp_path / "training.json").read_text() and read_record(tmp_path).tuned is None
    tuned = FineTuned(1, 2, [0.5], 20, 3, 2, 0, 1, 0.2, 0.125, 0.25, taken=True)
    write_record(tmp_path, replace(RECORD, tuned=tuned))
    assert read_record(tmp_path).tuned == tuned


def test_a_model_of_another_epoch_stops(tmp_path: Path) -> None:
    require_same_epoch(RECORD, 2, tmp_path)
    with pytest.raises(DarkroomError, match="best epoch is 2, and the model is of epoch 7: run `dvc repro train`"):
        require_same_epoch(RECORD, 7, tmp_path)
