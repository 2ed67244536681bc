"""What a model is calibrated on."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from darkroom.evaluation import evaluation as room
from darkroom.evaluation.evaluation import calibrate, calibration_images
from darkroom.inference.predictions import ModelRun, Predictions, SplitPredictions
from darkroom.statistics.temperature import softmax

RUN = ModelRun("simple_cnn", 1, ("a", "b", "c"), "c" * 64, "d" * 12, "e" * 12, "float32", "grad-cam")


def split(images: int, seed: int) -> SplitPredictions:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, images)
    logits = (rng.normal(size=(images, 3)) + 2 * np.eye(3)[labels]).astype(np.float32)
    return SplitPredictions(pa.table({}), labels, logits)


def test_few_validation_images_are_joined_by_training_images_out_of_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    validation, train = split(20, 0), split(300, 1)
    answers = softmax(train.answers)
    answers[:50] = 0
    predictions = Predictions(RUN, validation, validation, replace(train, answers=answers), [])
    assert len(calibration_images(predictions)[1]) == 20
    predictions = replace(predictions, run=replace(RUN, cross_validated=True))
    logits, labels, out_of_fold = calibration_images(predictions)
    assert out_of_fold == 250 and len(logits) == len(labels) == 270
    calibration = calibrate(logits, labels, 0.7, 0.95, out_of_fold)
    assert (calibration.images, calibration.out_of_fold_images) == (270, 250)
    together = np.concatenate([validation.answers, train.answers[50:]])
    assert calibration.temperature == pytest.approx(calibrate(together, labels, 0.7, 0.95).temperature, abs=1e-3)
    monkeypatch.setattr(room, "ENOUGH_VALIDATION", 20)
    assert calibration_images(predictions)[2] == 0
