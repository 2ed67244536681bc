"""Ranges: the sorted list of images in pieces of some ten thousand, cut by the paths, so that a new image moves few cuts."""

import hashlib
from collections import deque
from collections.abc import Iterable

# A cut follows every image whose path hashes lower than those of so many neighbours on each side: ranges hold twice as many on
# average, at least one more than this but for the first and the last.
WINDOW = 5_000


def range_ends(paths: Iterable[str]) -> list[int]:
    """For all ranges of a list, one past the position of their last image; the last is the number of paths.

    A cut depends on the `WINDOW` paths on each side alone, and on no content or label, so that a label fix moves
    none.

    Args:
        paths: sorted, without repetition; none of them is held for long.
    """
    return chunk_ends((range_name(path) for path in paths), WINDOW)


def range_name(first_path: str) -> str:
    """The name of a range, 16 hex digits, by the path of its first image: it stays when bytes change."""
    return hashlib.blake2b(first_path.encode(), digest_size=8).hexdigest()


class LocalMinima:
    """Ends a chunk after every key that is smaller than all keys within `window` places before and after it.

    The ends depend on nothing but the neighbourhood, so a new key moves none that are further away than `window`.
    Chunks hold at least `window + 1` keys, apart from the first and the last, and `2 * window + 1` on average; unlike chunks
    that end at random keys, they vary little, so that a key falls into one of about the average length
    (Bjørner, Blass, Gurevich 2010: "Content-dependent chunking for differential compression, the local maximum approach").
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._count = 0
        self._recent: deque[tuple[str, int]] = deque()
        self._candidate: int | None = None

    def add(self, key: str) -> int | None:
        """Add the next key; return the position of the key after which a chunk ends, once that is known, else None."""
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


def chunk_ends(keys: Iterable[str], window: int) -> list[int]:
    """For all chunks of a whole list, one past the position of their last key; the last is the number of keys."""
    minima, ends, count = LocalMinima(window), list[int](), 0
    for key in keys:
        count += 1
        if (ended := minima.add(key)) is not None:
            ends.append(ended + 1)
    if count and (not ends or ends[-1] != count):
        ends.append(count)
    return ends
