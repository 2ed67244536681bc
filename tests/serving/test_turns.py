"""Much work at once is spread over turns of the event loop."""

import asyncio

import pytest

from serving import turns as module
from serving.turns import Turns
from tests.support.loops import run


@pytest.mark.parametrize(("seconds", "expected"), [(-1.0, list(range(1, 21))), (60.0, [1] * 20)])
def test_a_turn_ends_when_it_has_lasted_long_enough(
    seconds: float, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN", seconds)
    turn, found = 0, list[int]()

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    async def work(turns: Turns) -> None:
        await turns.wait()
        found.append(turn)

    async def ask() -> None:
        turns, counting = Turns(), asyncio.ensure_future(count())
        await asyncio.gather(*(work(turns) for _ in range(20)))
        counting.cancel()

    run(ask())
    assert found == expected
