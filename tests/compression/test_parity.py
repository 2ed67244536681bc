"""Two sets of answers beside each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.compression.parity import Paired, compare, loss_interval


def test_every_number_by_hand() -> None:
    reference = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], dtype=np.float32)
    other = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.5, 0.5]], dtype=np.float32)
    found = compare(reference, other, np.array([0, 0, 0, 1]))
    assert found.images == 4
    assert found.largest_difference == pytest.approx(0.4)
    assert found.worst == 1
    assert found.mean_difference == pytest.approx(0.125)
    assert found.label_disagreement == 0.25
    assert (found.accuracy_before, found.accuracy_after, found.accuracy_loss) == (0.5, 0.25, 0.25)
    assert (found.only_before, found.only_after) == (1, 0)


def test_a_nan_is_never_within_a_limit() -> None:
    reference = np.array([[0.5, 0.5]], dtype=np.float32)
    found = compare(reference, np.array([[np.nan, 0.5]], dtype=np.float32), np.array([0]))
    assert not found.largest_difference <= 1.0


@given(st.integers(1, 50), st.integers(0, 1000))
def test_the_interval_holds_the_loss_and_turns_with_it(images: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    first, second = generator.random((2, images, 3), dtype=np.float32)
    labels = generator.integers(0, 3, images)
    low, high = loss_interval(compare(first, second, labels), 0.95)
    assert -1 <= low < high <= 1
    assert loss_interval(compare(second, first, labels), 0.95) == pytest.approx((-high, -low))


def test_the_interval_keeps_its_promise() -> None:
    """95% intervals over 300 images of which 6% turn wrong and 3% turn right hold the true loss of 3 points."""
    generator = np.random.default_rng(0)
    held = []
    for _ in range(1000):
        lost, won, same = generator.multinomial(300, [0.06, 0.03, 0.91])
        reference = np.repeat([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], [lost, won, same], axis=0).astype(np.float32)
        other = np.repeat([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]], [lost, won, same], axis=0).astype(np.float32)
        low, high = loss_interval(compare(reference, other, np.zeros(300, dtype=np.int64)), 0.95)
        held.append(low <= 0.03 <= high)
    assert 0.93 < np.mean(held) < 0.97


@pytest.mark.parametrize("gain", [0.0, 0.005])
def test_a_loss_at_the_limit_is_within_it_in_one_case_of_forty(gain: float) -> None:
    """Losses alone, of few images, are where the usual intervals say too much."""
    draws = np.random.default_rng(0).multinomial(800, [gain + 0.005, gain, 0.995 - 2 * gain], size=2000)
    shown = [Paired(800, int(lost), int(won), 0).loss_interval(0.95)[1] <= 0.005 for lost, won, _ in draws]
    assert np.mean(shown) < 0.033


def test_two_sets_of_images_are_counted_together() -> None:
    assert Paired(10, 1, 2, 3) + Paired(5, 1, 0, 1) == Paired(15, 2, 2, 4)
