"""Suspected label errors: planted ones are found, clean labels are left alone, and a reviewer can sign the list."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits

from darkroom.evaluation.label_errors import Suspect, label_suspects, write_suspects
from darkroom.inference.out_of_fold import cross_validated_head
from darkroom.inference.predictions import ModelRun, Predictions, SplitPredictions
from darkroom.labels.fixes import read_label_fixes
from darkroom.runtime.arrays import Float32s, Int64s

CLASSES = tuple("abcdefghij")
TRAIN = 900
TARGET = load_digits().target[:1100].astype(np.int64)
PIXELS = load_digits().images[:1100].reshape(1100, 64).astype(np.float32)
PATHS = [f"folder/{number}, of many.png" for number in range(1100)]
RUN = ModelRun("simple_cnn", 1, CLASSES, "c" * 64, "d" * 12, "e" * 12, "float32", "grad-cam")


def flipped(labels: Int64s) -> Int64s:
    """Each twentieth image under the next label."""
    wrong = labels.copy()
    wrong[::20] = (wrong[::20] + 1) % 10
    return wrong


def predictions(labels: Int64s, reviewed: tuple[str, ...] = (), least: int = 5) -> tuple[Predictions, Float32s]:
    """900 training images with out-of-fold answers, and 200 of validation with the answers of a model that knows."""
    judged = np.bincount(labels[:TRAIN], minlength=10) >= least
    folds = cross_validated_head(PIXELS[:TRAIN], labels[:TRAIN], judged)
    splits = []
    for part, answers in ((slice(0, TRAIN), folds), (slice(TRAIN, 1100), np.eye(10, dtype=np.float32)[TARGET[TRAIN:]])):
        rows = {
            "id": [f"{number:016x}" for number in range(1100)[part]],
            "path": PATHS[part],
            "label": [CLASSES[label] for label in labels[part]],
            "reviewed": [path in reviewed for path in PATHS[part]],
        }
        splits.append(SplitPredictions(pa.table(rows), labels[part], answers))
    train, validation = splits
    return Predictions(RUN, validation, validation, train, []), (0.01 + 0.9 * validation.answers).astype(np.float32)


@pytest.fixture(scope="module")
def suspects() -> list[Suspect]:
    return label_suspects(*predictions(flipped(TARGET)))


def test_planted_errors_are_found_and_few_others(suspects: list[Suspect]) -> None:
    assert len(label_suspects(*predictions(TARGET))) <= 0.03 * 1100
    planted = {f"{number:016x}" for number in range(0, 1100, 20)}
    found = {each.id for each in suspects}
    assert len(found & planted) >= 0.65 * len(planted) and len(found - planted) <= 0.03 * 1100
    suggested = [each.suggested == CLASSES[TARGET[int(each.id, 16)]] for each in suspects if each.id in planted]
    assert np.mean(suggested) > 0.85


def test_each_has_its_place_and_the_least_probable_come_first(suspects: list[Suspect]) -> None:
    labels = flipped(TARGET)
    for each in suspects:
        number = int(each.id, 16)
        assert each.path == PATHS[number] and each.split == ("train" if number < TRAIN else "validation")
        assert each.label == CLASSES[labels[number]] != each.suggested and 0 <= each.score < 0.5
    assert {each.split for each in suspects} == {"train", "validation"}
    assert [(each.score, each.path) for each in suspects] == sorted((each.score, each.path) for each in suspects)


def test_what_a_reviewer_has_decided_is_left_out(suspects: list[Suspect]) -> None:
    left = label_suspects(*predictions(flipped(TARGET), (suspects[0].path, suspects[3].path)))
    assert left == [suspects[1], suspects[2], *suspects[4:]]


def test_rows_can_be_signed_and_copied_to_the_fixes(suspects: list[Suspect], tmp_path: Path) -> None:
    write_suspects(suspects, tmp_path / "suspects.csv")
    text = (tmp_path / "suspects.csv").read_text()
    (tmp_path / "fixes.csv").write_text(text.replace(",,", ",Ann,"))
    fixes = read_label_fixes(tmp_path / "fixes.csv", PATHS, CLASSES)
    assert [fix.image for fix in fixes] == [each.path for each in suspects]
    assert {(fix.action, fix.reviewer) for fix in fixes} == {("relabel", "Ann")}
    assert [fix.new_label for fix in fixes] == [each.suggested for each in suspects]


def test_a_row_is_no_formula_and_no_command_and_is_read_back(tmp_path: Path) -> None:
    path, label = "=cmd|' /C calc'!A0\x1b[2J.png", "-1"
    write_suspects([Suspect("0", path, "train", "@x", label, 0.01)], tmp_path / "suspects.csv")
    text = (tmp_path / "suspects.csv").read_text()
    row = r"'=cmd|' /C calc'!A0\x1b[2J.png,relabel,'-1,,"
    assert text.splitlines()[1] == row + '"train: labelled @x, which gets 1%; looks like -1"'
    (tmp_path / "fixes.csv").write_text(text.replace(",,", ",Ann,"))
    (fix,) = read_label_fixes(tmp_path / "fixes.csv", [path], ("@x", label))
    assert (fix.image, fix.new_label) == (path, label)


def test_classes_without_out_of_fold_answers_have_no_suspects() -> None:
    # More images than any class has but one: class b has the most.
    counts = np.bincount(flipped(TARGET)[:TRAIN], minlength=10)
    only = label_suspects(*predictions(flipped(TARGET), least=int(np.sort(counts)[-3])))
    judged = {CLASSES[k] for k in np.flatnonzero(counts >= np.sort(counts)[-3])}
    assert only and {each.label for each in only} <= judged
    assert label_suspects(*predictions(flipped(TARGET), least=1000)) == []
