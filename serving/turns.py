"""Turns of the event loop that do not grow with the number of clients."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")

# Seconds of one turn in which small images are decoded: of two hundred that come at once the others wait for the next turn, and
# whoever asks for /healthz, which takes four turns with a new connection, does not wait for all of them.
TURN = 0.002


class Turns:
    """Does work of some 0.1 ms each in the turn in which it comes, until that has lasted `TURN`; then later, in order."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._waiting: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises; it is left out where whoever waits for it is cancelled before its turn."""
        if not self._waiting and self._is_time():
            return work()
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, done))
        return await done

    def _is_time(self) -> bool:
        now = time.monotonic()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._next)
        return now - self._began <= TURN

    def _next(self) -> None:
        """Begin a turn with what waits."""
        self._began = None
        while self._waiting and self._is_time():
            work, done = self._waiting.popleft()
            if done.done():
                continue
            try:
                done.set_result(work())
            except Exception as error:  # whoever waits gets it
                done.set_exception(error)
