"""Work on all cores: in order, never far ahead, and over when the caller stops."""

import time
from collections.abc import Iterator

import pytest
from joblib import cpu_count

from darkroom.runtime.threads import AHEAD, in_order


def test_results_come_in_order() -> None:
    def slow_when_even(number: int) -> int:
        time.sleep(0 if number % 2 else 0.002)
        return number

    assert list(in_order(slow_when_even, range(50))) == list(range(50))
    assert list(in_order(slow_when_even, [])) == []


def test_results_do_not_pile_up_before_a_slow_taker() -> None:
    asked: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(10_000):
            asked.append(number)
            yield number

    results = in_order(str, numbers())
    assert next(results) == "0"
    assert len(asked) <= AHEAD * cpu_count() + 1
    results.close()  # type: ignore[attr-defined]
    assert len(asked) < 10_000


def test_a_fault_reaches_the_caller() -> None:
    def fails(number: int) -> int:
        if number == 7:
            raise OSError("seven")
        return number

    with pytest.raises(OSError, match="seven"):
        list(in_order(fails, range(1000)))
