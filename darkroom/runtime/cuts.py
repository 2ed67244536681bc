"""Ranges: the sorted list of images in pieces of some ten thousand, cut by the paths, so that a new image moves few cuts.

A cut follows an image whose key, a hash of its path, is smaller than all keys within `WINDOW` places of it. The cuts depend
on nothing but the neighbourhood, so a new path moves none that are further away. Unlike chunks that end at random keys, ranges
vary little, so that a path falls into one of about the average length (Bjørner, Blass, Gurevich 2010: "Content-dependent
chunking for differential compression, the local maximum approach").
"""

import hashlib
from collections.abc import Iterable
from itertools import islice

import numpy as np

from darkroom.runtime.arrays import UInt64s

# Ranges hold twice as many images on average, at least one more than this but for the first and the last.
WINDOW = 5_000
# Paths that are hashed at a time.
AT_ONCE = 10_000


def range_ends(paths: Iterable[str]) -> list[int]:
    """For all ranges of a list, one past the position of their last image; the last is the number of paths.

    A cut depends on the `WINDOW` paths on each side alone, and on no content or label, so that a label fix moves
    none.

    Args:
        paths: sorted, without repetition; none of them is held for long.
    """
    return key_ends(path_keys(paths), WINDOW)


def path_keys(paths: Iterable[str]) -> UInt64s:
    """The key of each path, uint64 [N]."""
    waiting, found = iter(paths), [np.empty(0, np.uint64)]
    while piece := list(islice(waiting, AT_ONCE)):
        digests = b"".join([hashlib.blake2b(path.encode(), digest_size=8).digest() for path in piece])
        found.append(np.frombuffer(digests, ">u8").astype(np.uint64))
    return np.concatenate(found)


def key_ends(keys: UInt64s, window: int) -> list[int]:
    """For all ranges of a list, one past the position of their last key, given the keys, uint64 [N]."""
    ends = []
    # Of so many neighbours only the smallest key can be smaller than all around it; of equal ones the first.
    for start in range(0, len(keys), window):
        place = start + int(keys[start : start + window].argmin())
        before, after = keys[max(0, place - window) : place], keys[place + 1 : place + 1 + window]
        if len(after) == window and (before > keys[place]).all() and (after >= keys[place]).all():
            ends.append(place + 1)
    return [*ends, len(keys)] if len(keys) and ends[-1:] != [len(keys)] else ends


def range_name(first_path: str) -> str:
    """The name of a range, 16 hex digits, by the path of its first image: it stays when bytes change."""
    return hashlib.blake2b(first_path.encode(), digest_size=8).hexdigest()
