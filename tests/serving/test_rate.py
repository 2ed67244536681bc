"""The time to come back is that of the images that wait, at the rate that was measured while others waited."""

import pytest

from serving import rate
from serving.rate import Rate


class Clock:
    """A time that passes when it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(rate, "time", made)
    return made


def answer(measured: Rate, clock: Clock, images: int, seconds: float, waiting: int) -> None:
    for _ in range(images):
        clock.now += seconds / images
        measured.count(waiting)


def test_it_is_measured_under_load_alone(clock: Clock) -> None:
    measured = Rate()
    assert measured.seconds(1000) == 1
    answer(measured, clock, images=128, seconds=1, waiting=5)
    assert measured.seconds(640) == 5
    answer(measured, clock, images=2, seconds=1, waiting=0)  # as many as were asked
    answer(measured, clock, images=1, seconds=100, waiting=1)  # a pause
    assert measured.seconds(640) == 5
    assert (measured.seconds(1), measured.seconds(10**6)) == (1, 60)
