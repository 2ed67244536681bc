import numpy as np

from darkroom.scoring.scorecard import class_rows, score


def test_the_headline_agrees_with_the_classes_and_lies_in_its_intervals() -> None:
    rng = np.random.default_rng(0)
    actual = rng.integers(0, 3, 300)
    probabilities = rng.dirichlet(np.ones(3), 300).astype(np.float32)
    probabilities[np.arange(300), actual] += 0.5
    card = score(actual, probabilities / probabilities.sum(axis=1, keepdims=True), 0.95)
    rows = class_rows(card, ("a", "b", "c"))
    assert sum(row.images for row in rows) == sum(row.named for row in rows) == card.headline["images"] == 300
    assert round(sum(row.right for row in rows) / 300, 6) == card.headline["accuracy"]
    for name in ("accuracy", "macro_f1", "macro_precision", "macro_recall", "loss"):
        assert card.headline[f"{name}_low"] < card.headline[name] < card.headline[f"{name}_high"]


def test_a_higher_confidence_gives_wider_intervals() -> None:
    actual, probabilities = (
        np.array([0, 0, 1, 1]),
        np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], np.float32),
    )
    narrow, wide = score(actual, probabilities, 0.8).headline, score(actual, probabilities, 0.99).headline
    assert wide["accuracy_low"] < narrow["accuracy_low"] and narrow["accuracy_high"] < wide["accuracy_high"]
    assert wide["loss_low"] >= 0
