"""Work on all cores: in order, never far ahead, and over when the caller stops."""

import time
from collections.abc import Iterator

import pytest

from darkroom.runtime import threads
from darkroom.runtime.executor import own_threads
from darkroom.runtime.threads import AHEAD, in_batches, in_order


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
    assert len(asked) <= AHEAD * own_threads() + 1
    results.close()  # type: ignore[attr-defined]
    assert len(asked) < 10_000


def test_a_fault_reaches_the_caller() -> None:
    def fails(number: int) -> int:
        if number == 7:
            raise OSError("seven")
        return number

    with pytest.raises(OSError, match="seven"):
        list(in_order(fails, range(1000)))


@pytest.mark.parametrize("cores", [2, 64])
def test_bytes_in_flight_do_not_grow_with_the_cores(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "own_threads", lambda: cores)
    monkeypatch.setattr(threads, "BYTES_IN_FLIGHT", 100)
    asked = 0

    def items() -> Iterator[int]:
        nonlocal asked
        for size in [30] * 20 + [1000, 30, 30]:
            asked += 1
            yield size

    taken = 0
    for taken, size in enumerate(in_order(int, items(), int), 1):
        # Three of 30 bytes wait, one is in the taker's hands, and one is asked for.
        assert asked - taken <= 4
        assert size in (30, 1000)
    assert taken == 23


def test_batches_are_of_few_items_and_few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "BATCH", 3)
    monkeypatch.setattr(threads, "BATCH_BYTES", 10)
    assert list(in_batches([1, 1, 1, 1, 9, 50, 1], int)) == [[1, 1, 1], [1, 9], [50], [1]]
    assert list(in_batches([], int)) == []
