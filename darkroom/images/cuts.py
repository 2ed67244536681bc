"""Ranges: the sorted list of images in pieces of some ten thousand, cut by the paths, so that a new image moves few cuts."""

import hashlib
from collections.abc import Sequence

from darkroom.images.shards import chunk_ends

# A cut follows every image whose path hashes lower than those of so many neighbours on each side: ranges hold twice as many on
# average, at least one more than this but for the first and the last.
WINDOW = 5_000


def range_ends(paths: Sequence[str]) -> list[int]:
    """For all ranges of a list, one past the position of their last image; the last is `len(paths)`.

    A cut depends on the `WINDOW` paths on each side alone, and on no content or label, so that a label fix moves
    none.

    Args:
        paths: sorted, without repetition.
    """
    if len(paths) <= WINDOW:  # too few for a cut
        return [len(paths)] if paths else []
    return chunk_ends([hashlib.blake2b(path.encode(), digest_size=8).hexdigest() for path in paths], WINDOW)
