"""How many images a second the service answers at its limit, which tells a refused client when to come back."""

import time

# Seconds over which it is measured, and above which a measurement had a pause in it.
SPAN, LONGEST = 1.0, 2.0
# Seconds that a client is asked to wait, at most.
MOST = 60


class Rate:
    """Answers a second, while others wait: what can be answered, not what was asked."""

    def __init__(self) -> None:
        self._since, self._answered, self._rate = time.monotonic(), 0, 0.0

    def count(self, waiting: int) -> None:
        """Count an answer.

        Args:
            waiting: images without one.
        """
        self._answered += 1
        seconds = time.monotonic() - self._since
        if seconds >= SPAN:
            if waiting and seconds < LONGEST:
                self._rate = self._answered / seconds
            self._since, self._answered = time.monotonic(), 0

    def seconds(self, waiting: int) -> int:
        """Seconds until so many images are answered: 1 to 60, and 1 as long as nothing was measured."""
        return max(1, min(MOST, round(waiting / self._rate))) if self._rate else 1
