"""Heads by logistic regression: the optimum is scikit-learn's, and no head answers for an image that it was fitted to."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from darkroom.runtime.arrays import Float32s, Int64s
from darkroom.statistics.temperature import softmax
from darkroom.training import heads as room
from darkroom.training.heads import FOLDS, cross_validated, fold_numbers


def problem(images: int, features: int, seed: int = 0) -> tuple[Float32s, Int64s]:
    rng = np.random.default_rng(seed)
    labels = np.arange(images, dtype=np.int64) % 3
    rows = rng.normal(size=(images, features)) + 2
    rows[:, :3] += 1.5 * np.eye(3)[labels]
    return rows.astype(np.float32), labels


def test_folds_are_runs_of_neighbours_with_groups_together() -> None:
    labels = np.repeat(np.arange(3), [10, 5, 4]).astype(np.int64)
    assert fold_numbers(labels).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 1, 2, 3, 4, -1, -1, -1, -1]
    groups = [f"g{row}" for row in range(19)]
    groups[9] = groups[0]
    assert fold_numbers(labels, groups)[[0, 9]].tolist() == [0, 0]


@pytest.mark.parametrize("features", [8, 200], ids=["fewer features than images", "more"])
def test_the_head_is_that_of_scikit_learn(features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_STEPS", 500)
    rows, labels = problem(90, features)
    found = cross_validated(rows, labels, 3, fold_numbers(labels), strengths=[20.0])
    centred = rows - rows.mean(0)
    scaled = centred / np.sqrt(np.square(centred).sum() / len(rows))
    expected = LogisticRegression(C=20, tol=1e-8, max_iter=5000).fit(scaled, labels).predict_proba(scaled)
    logits = rows @ found.weight.T + found.bias
    assert softmax(logits) == pytest.approx(expected, abs=2e-3)


def test_out_of_fold_answers_are_those_of_the_folds_heads() -> None:
    rows, labels = problem(60, 100)
    labels[:3] = 3
    folds = fold_numbers(labels)
    found = cross_validated(rows, labels, 4, folds)
    assert not found.out_of_fold[:3].any() and found.out_of_fold[3:].sum(1) == pytest.approx(1, abs=1e-5)
    for fold in range(FOLDS):
        logits = rows[folds == fold] @ found.fold_weights[fold].T + found.fold_biases[fold]
        assert softmax(logits) == pytest.approx(found.out_of_fold[folds == fold], abs=1e-4)
    right = found.out_of_fold[3:].argmax(1) == labels[3:]
    assert found.accuracy == right.mean() < found.tried[found.best].train_accuracy


def test_noise_is_penalised_more_and_rare_classes_may_count_more() -> None:
    rng = np.random.default_rng(1)
    noise, labels = rng.normal(size=(100, 30)).astype(np.float32), rng.integers(0, 2, 100)
    found = cross_validated(noise, labels, 2, fold_numbers(labels))
    assert found.best == 0 and len(found.tried) == 2
    rare = (np.arange(100) % 10 == 0).astype(np.int64)
    plain, weighted = (
        cross_validated(noise, rare, 2, fold_numbers(rare), strengths=[1.0], class_weights=weights)
        for weights in (None, np.array([0.55, 5.0], np.float32))
    )
    assert weighted.out_of_fold[:, 1].mean() > 2 * plain.out_of_fold[:, 1].mean()


def test_many_images_choose_the_strength_by_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = problem(300, 20)
    whole = cross_validated(rows, labels, 3, fold_numbers(labels))
    monkeypatch.setattr(room, "MOST_SEARCHED", 200)
    found = cross_validated(rows, labels, 3, fold_numbers(labels))
    assert found.out_of_fold.shape == (300, 3) and found.accuracy == pytest.approx(whole.accuracy, abs=0.03)
