"""The state on disk."""

from pathlib import Path

import numpy as np
import pytest

from darkroom.monitoring.detector import Detector
from darkroom.monitoring.new_rows import Marks
from darkroom.monitoring.state import STATE, Baseline, State, load_state, save_state
from darkroom.monitoring.stream import Stream
from darkroom.runtime.errors import DarkroomError

CLASSES = 1000


def make(images: int = 4096) -> tuple[Baseline, State]:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(images, 13)).astype(np.float16).astype(np.float64)
    baseline = Baseline(scores, rng.integers(0, CLASSES, images), False)
    stream = Stream(Detector(baseline.scores, baseline.predicted, CLASSES), 1e6)
    marks = Marks({part: (10**9, 1_700_000_000_000_000 + part) for part in range(300)}, 5)
    return baseline, State("b", baseline.key, stream, marks)


def rows(count: int, sessions: bool) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    names = rng.integers(1, 2**63, count).astype(np.uint64) * np.uint64(sessions)
    scores = rng.normal(size=(count, 13)).astype(np.float16).astype(np.float64)
    times = 1_700_000_000_000_000 + np.cumsum(rng.integers(1, 10**9, count))
    return [scores, rng.integers(0, CLASSES, count), rng.uniform(size=count).astype(np.float32) * 1.0, times, names]


def test_it_stays_below_50_kb_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    baseline, state = make()
    arrays = rows(3000, sessions=True)
    state.stream.add(*(each[:2000] for each in arrays))
    state.marks.read(7, 1, 2)
    save_state(tmp_path, state)
    assert (tmp_path / STATE).stat().st_size < 50_000
    restored = load_state(tmp_path, "b", baseline, CLASSES, 1e6)
    assert restored.marks == state.marks
    for each in (state, restored):
        each.stream.add(*(array[2000:] for array in arrays))
    assert restored.stream.detector.level == state.stream.detector.level
    np.testing.assert_array_equal(restored.stream.history, state.stream.history)
    np.testing.assert_array_equal(restored.stream.scores, state.stream.scores)
    assert (restored.stream.images, restored.stream.tested) == (3000, state.stream.tested)


def test_another_bundle_begins_anew_and_another_baseline_reads_on(tmp_path: Path) -> None:
    baseline, state = make(200)
    state.stream.add(*rows(100, sessions=False))
    save_state(tmp_path, state)
    other = Baseline(baseline.scores + 1, baseline.predicted, True)
    assert load_state(tmp_path, "b", other, CLASSES, 1e6).stream.images == 0
    assert load_state(tmp_path, "b", other, CLASSES, 1e6).marks == state.marks
    fresh = load_state(tmp_path, "c", baseline, CLASSES, 1e6)
    assert (fresh.stream.images, fresh.marks) == (0, Marks())


def test_a_damaged_state_is_a_message(tmp_path: Path) -> None:
    baseline, _ = make(200)
    (tmp_path / STATE).write_bytes(b"PK damaged")
    with pytest.raises(DarkroomError, match="remove it, and the monitor begins anew"):
        load_state(tmp_path, "b", baseline, CLASSES, 1e6)
