"""Where one chunk of a sorted list ends and the next begins, by content alone, so that an insertion changes one chunk."""

from collections import deque


class LocalMinima:
    """Ends a chunk after every key that is smaller than all keys within `window` places before and after it.

    Where ends are depends on nothing but the neighbourhood, so a new key moves none that are further away than `window`.
    Chunks hold at least `window + 1` keys, apart from the first and the last, and `2 * window + 1` on average; unlike chunks
    that end by a chance of their own for each key, they vary little, so that a key falls into one of about the average length
    (Bjørner, Blass, Gurevich 2010: "Content-dependent chunking for differential compression, the local maximum approach").
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._count = 0
        self._recent: deque[tuple[str, int]] = deque()
        self._candidate: int | None = None

    def add(self, key: str) -> int | None:
        """Take the next key; return the position of the key after which a chunk ends, once that is known, else None."""
        position = self._count
        self._count += 1
        recent = self._recent
        while recent and recent[-1][0] > key:
            recent.pop()
        if recent and recent[0][1] < position - self._window:
            recent.popleft()
        if not recent:
            self._candidate = position
        recent.append((key, position))
        if self._candidate is None or position - self._candidate < self._window:
            return None
        ended, self._candidate = self._candidate, None
        return ended


def chunk_ends(keys: list[str], window: int) -> list[int]:
    """For all chunks of a whole list, one past the position of their last key; the last is `len(keys)`."""
    minima = LocalMinima(window)
    ends = [ended + 1 for key in keys if (ended := minima.add(key)) is not None]
    if keys and (not ends or ends[-1] != len(keys)):
        ends.append(len(keys))
    return ends
