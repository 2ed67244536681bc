"""How many images in a row belong together."""

import numpy as np
import pytest

from darkroom.monitoring.bursts import burst_length


def images(count: int, burst: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores float64 [N, 4] and classes of bursts of one subject each."""
    rng = np.random.default_rng(seed)
    subjects = np.arange(count) // burst
    common = rng.normal(size=(subjects.max() + 1, 4))[subjects]
    own = rng.normal(size=(count, 4))
    return common * (burst > 1) + own, rng.integers(0, 10, subjects.max() + 1)[subjects]


@pytest.mark.parametrize("count", [64, 512])
def test_independent_images_are_no_burst(count: int) -> None:
    assert [burst_length(*images(count, 1, seed)) for seed in range(20)] == [1] * 20


def test_bursts_of_eleven_are_seen_from_the_first_hundred_on() -> None:
    lengths = [burst_length(*images(128, 11, seed)) for seed in range(20)]
    assert 9 <= np.median(lengths) <= 16
    assert 11 <= np.median([burst_length(*images(512, 11, seed)) for seed in range(20)]) <= 16


def test_a_slow_change_is_no_burst_and_neither_are_constant_or_missing_scores() -> None:
    scores, predicted = images(512, 1, 0)
    drift = scores + np.linspace(0, 0.3, 512)[:, None]
    drift[:, 0], drift[:, 1] = 28, np.nan
    assert burst_length(drift, predicted) == 1
    assert burst_length(np.full((100, 2), np.nan), np.zeros(100, np.int64)) == 1
