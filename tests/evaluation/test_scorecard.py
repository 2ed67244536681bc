import numpy as np

from darkroom.evaluation.scorecard import f1_ends, score
from darkroom.statistics.metrics import class_scores


def test_the_headline_agrees_with_the_classes_and_lies_in_its_intervals() -> None:
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 3, 300)
    probabilities = rng.dirichlet(np.ones(3), 300).astype(np.float32)
    probabilities[np.arange(300), actual] += 0.5
    card = score(actual, probabilities / probabilities.sum(axis=1, keepdims=True), ("a", "b", "c"), 0.95)
    rows = card.rows
    assert sum(row.images for row in rows) == sum(row.predicted for row in rows) == card.headline["images"] == 300
    assert round(sum(row.correct for row in rows) / 300, 6) == card.headline["accuracy"]
    for name in ("accuracy", "macro_f1", "macro_precision", "macro_recall", "loss"):
        assert card.headline[f"{name}_low"] < card.headline[name] < card.headline[f"{name}_high"]


def test_a_higher_confidence_gives_wider_intervals() -> None:
    actual, probabilities = (
        np.array([0, 0, 1, 1]),
        np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], np.float32),
    )
    narrow, wide = (score(actual, probabilities, ("a", "b"), level).headline for level in (0.8, 0.99))
    assert wide["accuracy_low"] < narrow["accuracy_low"] and narrow["accuracy_high"] < wide["accuracy_high"]
    assert wide["loss_low"] >= 0


def test_the_interval_of_f1_holds_the_true_f1_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    # Images by actual class (down) and predicted class (across).
    truth = np.array([[0.28, 0.05, 0.02], [0.03, 0.3, 0.02], [0.01, 0.04, 0.25]])
    true_f1 = 2 * np.diagonal(truth) / (truth.sum(axis=0) + truth.sum(axis=1))
    draws = rng.multinomial(200, truth.ravel(), size=3_000).reshape(-1, 3, 3)
    ends = [f1_ends(class_scores(counts), 0.95) for counts in draws]
    held = np.array([(low <= true_f1) & (true_f1 <= high) for low, high in ends]).mean(axis=0)
    assert ((held > 0.93) & (held < 0.97)).all(), held


def test_f1_lies_in_its_interval_and_nothing_is_known_of_a_class_without_images() -> None:
    counts = np.array([[5, 0, 0], [2, 3, 0], [0, 0, 0]])
    scores = class_scores(counts)
    low, high = f1_ends(scores, 0.95)
    assert (low[:2] < scores.f1[:2]).all() and (scores.f1[:2] < high[:2]).all()
    assert (low[2], high[2]) == (0, 1)
