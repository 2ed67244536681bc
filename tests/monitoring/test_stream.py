"""The state of a stream: bursts, sessions, the alarm, and the same however it is cut."""

import numpy as np
import pytest

from darkroom.monitoring import stream as live
from darkroom.monitoring.detector import Detector
from darkroom.monitoring.stream import FIRST, Stream


def stream(run_length: float = 1e6) -> Stream:
    rng = np.random.default_rng(0)
    return Stream(Detector(rng.normal(size=(1000, 4)), rng.integers(0, 5, 1000), 5), run_length)


def rows(count: int, seed: int = 1, shift: float = 0.0, burst: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    subject = np.arange(count) // burst
    scores = rng.normal(size=(subject.max() + 1, 4))[subject] + 0.1 * rng.normal(size=(count, 4)) * (burst > 1)
    predicted = rng.integers(0, 5, subject.max() + 1)[subject]
    return [scores + shift, predicted, np.full(count, 0.9), np.arange(count) * 1_000_000, np.zeros(count, np.uint64)]


def feed(found: Stream, arrays: list[np.ndarray], cuts: list[int]) -> Stream:
    for start, stop in zip([0, *cuts], [*cuts, len(arrays[0])], strict=True):
        found.add(*(each[start:stop] for each in arrays))
    return found


def test_the_cuts_of_the_runs_do_not_show() -> None:
    arrays = rows(1500, burst=3)
    whole, cut = feed(stream(), arrays, []), feed(stream(), arrays, [1, 40, 64, 65, 128, 300, 301, 777])
    assert (whole.images, whole.tested, whole.burst) == (cut.images, cut.tested, cut.burst)
    np.testing.assert_array_equal(whole.detector.sums.roberts, cut.detector.sums.roberts)
    np.testing.assert_array_equal(whole.history, cut.history)


def test_the_first_images_wait_until_bursts_can_be_seen() -> None:
    found = feed(stream(), rows(FIRST - 1), [])
    assert (found.images, found.tested) == (FIRST - 1, 0)
    found.add(*(each[:1] for each in rows(1)))
    assert found.tested == FIRST


def test_of_bursts_one_image_is_tested_and_a_clean_stream_is_quiet() -> None:
    found = feed(stream(), rows(6000, burst=11), [])
    assert 11 <= found.burst <= 20
    assert found.tested < 6000 / 9
    assert found.alarm is None


def test_of_a_session_one_image_is_tested() -> None:
    arrays = rows(3300, burst=11)
    arrays[4] = (np.arange(3300) // 11 + 1).astype(np.uint64)
    found = feed(stream(), arrays, [5, 100])
    assert found.tested == 300
    assert found.alarm is None


def test_an_alarm_says_since_when() -> None:
    clean, shifted = rows(1000), rows(60, seed=2, shift=1.0)
    shifted[3] = shifted[3] + 1000 * 1_000_000
    found = feed(stream(), [np.concatenate(pair) for pair in zip(clean, shifted, strict=True)], [])
    assert found.alarm is not None
    assert abs(found.alarm.since - 1000) <= 15
    assert found.alarm.since_time == found.alarm.since * 1_000_000
    assert 1005 < found.alarm.image < 1040
    assert found.since_alarm() == 1060 - found.alarm.since


def test_the_history_stays_short_and_has_the_highest_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = rows(3000)
    whole = feed(stream(), arrays, [])
    monkeypatch.setattr(live, "HISTORY", 8)
    short = feed(stream(), arrays, [])
    assert len(whole.history) == 24
    assert 4 <= len(short.history) <= 8
    assert short.history[:, 2].max() == whole.history[:, 2].max()
    assert (np.diff(short.history[:, 0]) > 0).all()
    assert short.history[-1, 0] == whole.history[-1, 0] == 2944
