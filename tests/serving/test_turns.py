"""Much work at once is spread over turns of the event loop."""

import asyncio
import itertools
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest

from serving import turns as module
from serving.turns import Turns
from tests.support.loops import run


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.5, [turn for turn in range(1, 11) for _ in "ab"]), (60.0, [1] * 20)]
)
def test_a_turn_ends_when_it_has_lasted_long_enough(
    seconds: float, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN", seconds)
    now, turn, found = 0.0, 0, list[tuple[int, int]]()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    def work(number: int) -> int:
        nonlocal now
        now += 0.3
        found.append((number, turn))
        return 2 * number

    async def ask() -> list[int]:
        turns, counting = Turns(), asyncio.ensure_future(count())
        answers = await asyncio.gather(*(turns.run(partial(work, number)) for number in range(20)))
        counting.cancel()
        return answers

    assert run(ask()) == list(range(0, 40, 2))
    assert [number for number, _ in found] == list(range(20))  # first come, first served
    assert [turn for _, turn in found] == expected


def test_a_later_turn_raises_what_its_work_raises_and_leaves_out_what_nobody_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = itertools.count()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    done = list[str]()

    def work(name: str) -> Callable[[], None]:
        def act() -> None:
            done.append(name)
            if name == "bad":
                raise ValueError(name)

        return act

    async def ask() -> list[object]:
        turns = Turns()
        tasks = [asyncio.ensure_future(turns.run(work(name))) for name in ("first", "left", "bad", "good")]
        await asyncio.sleep(0)
        tasks[1].cancel()
        return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)

    _, left, bad, good = run(ask())
    assert isinstance(left, asyncio.CancelledError)
    assert (str(bad), good, done) == ("bad", None, ["first", "bad", "good"])
