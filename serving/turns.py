"""Turns of the event loop that do not grow with the number of clients."""

import asyncio
import time

# Seconds of one turn in which small images are decoded: of two hundred that come at once the others wait for the next turn, and
# whoever asks for /healthz does not wait for all of them.
TURN = 0.01


class Turns:
    """Ends the work of a turn when it has lasted `TURN`."""

    def __init__(self) -> None:
        self._began: float | None = None

    async def wait(self) -> None:
        """Wait for a later turn where this one has lasted long enough."""
        while self._began is not None and time.monotonic() - self._began > TURN:
            await asyncio.sleep(0)
        if self._began is None:
            self._began = time.monotonic()
            asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        self._began = None
