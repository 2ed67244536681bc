"""An evaluation as files says what was found, and reads back as it was written."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from darkroom.evaluation.error_analysis import ErrorAnalysis, RobustnessCurve
from darkroom.evaluation.evaluation import Evaluation, calibrate, evaluate
from darkroom.evaluation.label_errors import Suspect
from darkroom.evaluation.metrics_json import read_evaluation, summary_lines, write_evaluation
from darkroom.evaluation.slices import Slice
from darkroom.runtime.arrays import Int64s
from darkroom.statistics.calibration import temperature_interval

NAMES = ("a", "b", "c")
CURVE = RobustnessCurve("blur", (0, 1), ("as it is", "much"), (0.9, 0.5), (0.8, 0.4), (1.0, 0.6))
WEAK = Slice("date", "date from 2024-03-17", None, 20, 0.5, 0.3, 0.7, 0.9, 0.0001, 0.003, np.arange(20))
ERRORS = ErrorAnalysis(
    facts=["date"],
    slices=[WEAK],
    slice_mistakes=[[3, 1]],
    suspects=[Suspect("00", "a/0.png", "train", "a", "b", 0.03125)],
    robustness=[CURVE],
    damaged_images=10,
    damaged_precision="bfloat16",
)


def evaluation(images: int = 400) -> tuple[Int64s, Evaluation]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, images)
    logits = rng.normal(size=(images, 3)).astype(np.float32)
    logits[np.arange(images), labels] += 2
    calibration = calibrate(logits, labels, 0.9, 0.95)
    interval = temperature_interval(logits, labels, calibration.temperature, 0.95)
    return labels, evaluate(logits, labels, NAMES, calibration, interval, 0.95)


def test_a_temperature_from_few_images_is_named_with_its_interval() -> None:
    errors = ErrorAnalysis([], [], [], [], [], 0, "float32")
    assert "unsteady" not in summary_lines(evaluation()[1], errors, "cnn, epoch 1")
    few = summary_lines(evaluation(10)[1], errors, "cnn, epoch 1")
    assert re.search(r"temperature [\d.]+ is unsteady: 10 images allow [\d.]+ to [\d.]+ \(95% interval\)", few)


def test_scores_after_calibration_are_those_of_the_headline() -> None:
    labels, found = evaluation()
    assert round(found.after.loss.value, 6) == found.headline["loss"] <= found.before.loss.value
    assert round(found.top[0].accuracy, 6) == found.headline["accuracy"] and [each.k for each in found.top] == [1, 2]
    assert found.answered.precision >= found.headline["accuracy"] - 1e-6
    assert sum(row.images for row in found.rows) == found.headline["images"] == len(labels)


def test_what_is_read_is_what_was_written_to_six_digits(tmp_path: Path) -> None:
    _, found = evaluation()
    settings = [{"name": "train.epochs", "value": 2, "shipped": 12}]
    write_evaluation(tmp_path, found, ERRORS, "grad-cam", {"data_version": "d" * 12}, settings)
    read, errors, content = read_evaluation(tmp_path)
    assert content["settings"] == settings and content["explanation"] == "grad-cam"
    assert content["provenance"] == {"data_version": "d" * 12} and content["label_suspects"] == 1
    assert (read.headline, read.rows, read.calibration) == (found.headline, found.rows, found.calibration)
    assert read.confidence == 0.95 and [curve.name for curve in read.roc] == ["macro average", "micro average", *NAMES]
    assert abs(read.before.ece.value - found.before.ece.value) < 1e-6
    assert [each.images for each in read.after.bins] == [each.images for each in found.after.bins]
    assert replace(errors, slices=[], robustness=[]) == replace(ERRORS, slices=[], robustness=[])
    assert errors.slices[0].words == WEAK.words and list(errors.robustness[0].accuracy) == [0.9, 0.5]
    other = tmp_path / "again"
    other.mkdir()
    write_evaluation(other, read, errors, "grad-cam", content["provenance"], content["settings"])
    for name in ("metrics.json", "per_class.json", "curves.json"):
        assert (other / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_metrics_json_has_each_number_under_its_name(tmp_path: Path) -> None:
    _, found = evaluation()
    write_evaluation(tmp_path, found, ERRORS, "occlusion", {}, [])
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert list(content) == [
        "test", "confidence", "provenance", "top_k", "ranking", "calibration", "abstention", "label_suspects",
        "weak_slices", "robustness", "explanation", "settings",
    ]  # fmt: skip
    assert list(content["abstention"]["test"]) == [
        "images", "answered", "correct", "coverage", "coverage_low", "coverage_high",
        "precision", "precision_low", "precision_high",
    ]  # fmt: skip
    assert "rows" not in content["weak_slices"][0] and content["weak_slices"][0]["adjusted_p"] == 0.003


def test_the_summary_lines_are_of_the_same_numbers() -> None:
    _, found = evaluation()
    lines = summary_lines(found, ERRORS, "simple_cnn, epoch 2").splitlines()
    assert lines[0] == "evaluate: 400 test images, 3 classes, simple_cnn, epoch 2"
    assert f"{found.headline['accuracy']:.1%}" in lines[1] and "95% interval" in lines[1]
    assert "  weak slice: date from 2024-03-17, 50.0% of 20 correct" in lines
    assert "  labels to look at: 1 of training and validation images" in lines
