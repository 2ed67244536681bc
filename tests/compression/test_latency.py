"""The race, run on a clock that only the runners move."""

import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.compression import latency
from darkroom.compression.latency import Speed, median_interval, race


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Runner:
    """Stands for a session: a call takes its seconds for each image, give or take some noise."""

    def __init__(self, clock: Clock, seconds: float, noise: float = 0.0) -> None:
        self._clock, self._seconds, self._noise = clock, seconds, noise
        self._random = random.Random(0)

    def run(self, outputs: list[str], feeds: dict[str, np.ndarray]) -> None:
        stretch = 1 + self._noise * self._random.random()
        self._clock.now += self._seconds * stretch * len(feeds["images"])


def time_them(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], threshold: float, noise: float = 0.0
) -> list[Speed]:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    images = np.zeros((3, 8, 8, 1), dtype=np.uint8)
    runners = {f"graph {number}": Runner(clock, each, noise) for number, each in enumerate(seconds)}
    found = race(runners, images, threshold)
    assert list(found) == list(runners)
    return list(found.values())


def test_times_are_those_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    baseline, fast, faster = time_them(monkeypatch, [0.004, 0.002, 0.001], threshold=1.2)
    assert baseline.p50_ms == pytest.approx(4) == baseline.p95_ms
    assert (fast.p50_ms, faster.p50_ms) == pytest.approx((2, 1))
    assert baseline.images_per_second == pytest.approx(250)
    assert (baseline.low, baseline.ratio, baseline.high) == pytest.approx((1, 1, 1))
    assert (fast.low, fast.ratio, fast.high) == pytest.approx((2, 2, 2))
    assert faster.ratio == pytest.approx(4)


@pytest.mark.parametrize(("fast", "faster"), [(0.002, True), (0.005, False)])
def test_a_clear_case_takes_a_second(fast: float, faster: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    found = time_them(monkeypatch, [0.004, fast], threshold=1.2, noise=0.5)[1]
    assert (found.low > 1.2) is faster
    assert (found.high < 1.2) is not faster
    assert found.rounds * latency.CALLS * (0.004 + fast) < 2 * latency.LEAST_SECONDS


@pytest.mark.parametrize("others", [[], [0.0001], [0.01]])
def test_a_tie_ends_in_time_and_has_not_shown_that_it_is_faster(
    others: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is settled does not end the race for the others."""
    found = time_them(monkeypatch, [0.0012, 0.001, *others], threshold=1.2, noise=0.5)[1]
    assert found.low <= 1.2 <= found.high
    spent = found.rounds * latency.CALLS * (0.0022 + sum(others))
    assert latency.MOST_SECONDS / 2 < spent < 2 * latency.MOST_SECONDS


def test_slow_graphs_still_get_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_them(monkeypatch, [60, 60], threshold=1.0)[1].rounds == latency.BLOCK


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=200))
def test_the_interval_holds_the_median(values: list[float]) -> None:
    low, high = median_interval(values, 0.999)
    assert min(values) <= low <= np.median(values) <= high <= max(values)


def test_the_interval_keeps_its_promise() -> None:
    generator = np.random.default_rng(0)
    draws = generator.exponential(size=(2000, 60))
    held = [low <= np.log(2) <= high for low, high in (median_interval(list(row), 0.95) for row in draws)]
    assert 0.94 < np.mean(held) < 0.98
