"""The decision on a fine-tuning: no more errors, and a lower log loss, on the same validation images."""

import numpy as np
import pytest

from darkroom.training.recipe import Recipe, judged

LABELS = np.array([0, 0, 1, 1])


def answers(*own: float) -> np.ndarray:
    """Probabilities of four images, by that of their label."""
    found = np.empty((4, 2), np.float32)
    found[np.arange(4), LABELS], found[np.arange(4), 1 - LABELS] = own, 1 - np.array(own)
    return found


@pytest.mark.parametrize(
    ("after", "taken", "errors"),
    [
        ((0.9, 0.9, 0.9, 0.4), True, 1),  # as many errors, a lower loss
        ((0.9, 0.9, 0.9, 0.6), True, 0),
        ((0.8, 0.8, 0.8, 0.3), False, 1),  # a higher loss
        ((0.999, 0.999, 0.49, 0.49), False, 2),  # a lower loss, and one more error
    ],
)
def test_it_is_taken_with_no_more_errors_and_a_lower_loss(after: tuple[float, ...], taken: bool, errors: int) -> None:
    found = judged(Recipe(2, 3), [0.5, 0.25], answers(0.8, 0.8, 0.8, 0.4), answers(*after), LABELS)
    assert (found.taken, found.errors_before, found.errors_after) == (taken, 1, errors)
    assert (found.epochs, found.forms, found.losses, found.images) == (2, 3, [0.5, 0.25], 4)
    assert found.loss_after == pytest.approx(-np.log(after).mean())
    assert found.text().endswith(": taken" if taken else ": not taken")


def test_images_that_changed_sides_are_counted() -> None:
    found = judged(Recipe(1, 1), [0.1], answers(0.8, 0.8, 0.4, 0.4), answers(0.8, 0.4, 0.8, 0.8), LABELS)
    assert (found.only_before, found.only_after) == (1, 2)
    differences = np.log([1, 2, 0.5, 0.5])
    assert found.deviation == pytest.approx(differences.std() / 2, rel=1e-5)
