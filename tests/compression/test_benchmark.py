"""The benchmark of graphs, run on a clock that only the runners move; and their peak memory."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.compression import benchmark as module
from darkroom.compression.benchmark import Speed, benchmark, median_interval, peak_memory
from darkroom.runtime.errors import DarkroomError
from tests.support.matrix_graph import CLASSES, WIDTH, write_products


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
    found = benchmark(runners, images, threshold)
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
    assert found.rounds * module.CALLS * (0.004 + fast) < 2 * module.LEAST_SECONDS


@pytest.mark.parametrize("others", [[], [0.0001], [0.01]])
def test_a_tie_ends_in_time_and_has_not_shown_that_it_is_faster(
    others: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is settled does not end the benchmark for the others."""
    found = time_them(monkeypatch, [0.0012, 0.001, *others], threshold=1.2, noise=0.5)[1]
    assert found.low <= 1.2 <= found.high
    spent = found.rounds * module.CALLS * (0.0022 + sum(others))
    assert module.MOST_SECONDS / 2 < spent < 2 * module.MOST_SECONDS


def test_slow_graphs_still_get_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    assert time_them(monkeypatch, [60, 60], threshold=1.0)[1].rounds == module.BLOCK


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=200))
def test_the_interval_holds_the_median(values: list[float]) -> None:
    low, high = median_interval(values, 0.999)
    assert min(values) <= low <= np.median(values) <= high <= max(values)


def test_the_interval_keeps_its_promise() -> None:
    generator = np.random.default_rng(0)
    draws = generator.exponential(size=(2000, 60))
    held = [low <= np.log(2) <= high for low, high in (median_interval(list(row), 0.95) for row in draws)]
    assert 0.94 < np.mean(held) < 0.98


def test_more_images_take_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_products(tmp_path / "model.onnx", 2)
    monkeypatch.chdir(tmp_path)
    few, many = (peak_memory(Path("model.onnx"), batch) for batch in (1, 1_000_000))
    values = 1_000_000 * 4 * (WIDTH + CLASSES)
    assert 0 < few < values < many < 20 * values


def test_a_graph_that_does_not_open_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(DarkroomError, match=r"memory of model\.onnx ended with status 1: .*"):
        peak_memory(tmp_path / "model.onnx", 1)
