"""Accuracy without labels, and with few."""

import numpy as np
import pytest

from darkroom.bundle.reference_rows import ReferenceRows
from darkroom.monitoring.estimated_accuracy import class_mix, estimate_accuracy, labels_needed, weighted_accuracy
from darkroom.statistics.intervals import wilson

GIVEN = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.0, 0.05, 0.95]])


def test_the_mix_is_found_from_the_predicted_classes() -> None:
    mix = np.array([0.6, 0.1, 0.3])
    assert class_mix(GIVEN, mix @ GIVEN) == pytest.approx(mix, abs=0.005)
    # No mix predicts class 0 for all: the nearest has no negative share.
    assert class_mix(GIVEN, np.array([1.0, 0, 0])) == pytest.approx([1, 0, 0], abs=1e-3)


def reference(images: int = 3000) -> ReferenceRows:
    rng = np.random.default_rng(0)
    labels = np.arange(images) % 3
    predicted = np.array([rng.choice(3, p=GIVEN[label]) for label in labels])
    probabilities = np.full((images, 3), 0.06, np.float32)
    probabilities[np.arange(images), predicted] = 0.88
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    none = np.zeros((images, 0), np.float32)
    return ReferenceRows(probabilities, labels, none, none, none, confusion)


def test_another_mix_changes_the_estimate_as_it_changes_accuracy() -> None:
    rng = np.random.default_rng(1)
    labels = rng.choice(3, 20_000, p=[0.1, 0.8, 0.1])
    predicted = np.array([rng.choice(3, p=GIVEN[label]) for label in labels])
    found = estimate_accuracy(reference(), predicted, np.full(20_000, 0.88))
    assert found.accuracy == pytest.approx((predicted == labels).mean(), abs=0.02)
    assert found.reference == pytest.approx(0.85, abs=0.02)
    assert found.mix == pytest.approx([0.1, 0.8, 0.1], abs=0.03)


def test_lower_confidence_is_taken_off() -> None:
    rows = reference()
    predicted = rows.probabilities.argmax(axis=1)
    before = estimate_accuracy(rows, predicted, np.full(3000, 0.88)).accuracy
    after = estimate_accuracy(rows, predicted, np.full(3000, 0.78)).accuracy
    assert before - after == pytest.approx(0.1)


def test_equal_weights_give_the_score_interval() -> None:
    correct = np.arange(200) >= 12
    accuracy, low, high = weighted_accuracy(correct, np.full(200, 7.0))
    assert accuracy == pytest.approx(0.94)
    assert (low, high) == pytest.approx([float(end) for end in wilson(188, 200, 0.95)], abs=1e-9)


def test_a_weight_counts_as_so_many_images() -> None:
    correct, weights = np.array([True, True, False]), np.array([8.0, 1.0, 1.0])
    accuracy, low, high = weighted_accuracy(correct, weights)
    assert accuracy == pytest.approx(0.9)
    # 100 / 66 labels by Kish; fewer than three say less.
    assert low < 0.35 and high > 0.98
    assert weighted_accuracy(np.ones(50, bool), np.ones(50))[1:] == pytest.approx((0.9287, 1.0), abs=1e-4)


@pytest.mark.parametrize("true", [0.94, 0.6])
def test_the_interval_of_200_weighted_labels_covers(true: float) -> None:
    rng = np.random.default_rng(2)
    correct = rng.uniform(size=3000) < true
    # Wrong answers are less confident, and asked for more often.
    asked = np.clip(np.where(correct, 0.04, 0.16) * rng.uniform(0.5, 1.5, 3000), 0.02, 1)
    asked *= 200 / asked.sum()
    hits = []
    for _ in range(500):
        chosen = rng.uniform(size=3000) < asked
        _, low, high = weighted_accuracy(correct[chosen], 1 / asked[chosen])
        hits.append(low <= correct.mean() <= high)
    assert np.mean(hits) >= 0.93


def test_labels_for_two_points() -> None:
    assert labels_needed(0.5) == 2401
    assert labels_needed(0.94) == 542
    assert labels_needed(1.0) == labels_needed(0.999) == 95
