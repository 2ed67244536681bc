"""What was measured of pairs of pictures, kept from run to run: the pixels of two pictures decide it, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darkroom.duplicates.described import ReadThumbnails
from darkroom.duplicates.evidence import VALUES, Measures, measure
from darkroom.duplicates.stored import StoredArrays
from darkroom.runtime.arrays import Int64s, UInt8s, UInt64s
from darkroom.runtime.files import whole_folder

TYPES: dict[str, np.dtype[Any]] = {"ids": np.dtype(("<u8", 2)), "values": np.dtype(("<f4", VALUES))}
# Pairs at a time whose pictures are in memory.
PIECE = 16 * 1024


class MeasuredPairs:
    """Measures pairs where no earlier run did. `keep` stores those that were asked for, and forgets the others."""

    def __init__(
        self, read: ReadThumbnails, ids: UInt64s, sides: npt.NDArray[np.int32], folder: Path, identity: str
    ) -> None:
        """Args:
        read: the thumbnails.
        ids: uint64 [N], each once.
        sides: int32 [N], the shorter side of each picture, in pixels.
        folder: of the cache; it need not exist.
        identity: of what decides thumbnails, sides and what is measured.
        """
        self._read, self._ids, self._sides = read, ids, sides
        self._folder, self._identity = folder, identity
        stored = StoredArrays(folder, TYPES)
        whole = stored.is_whole(identity)
        self._known_ids, self._known = (
            stored.read(name) if whole else np.empty((0, *kind.shape), kind.base) for name, kind in TYPES.items()
        )
        self._known_keys = _keys(self._known_ids)
        order = np.argsort(self._known_keys, kind="stable")
        self._known_ids, self._known, self._known_keys = (
            each[order] for each in (self._known_ids, self._known, self._known_keys)
        )
        self._asked: list[tuple[UInt64s, npt.NDArray[np.float32]]] = []
        self._new = not whole
        self._expected: Int64s | None = None
        self._pictures_of_expected: UInt8s | None = None

    def of(self, one: Int64s, other: Int64s) -> Measures:
        """Of pairs of rows, int64 [P] each."""
        values = np.empty((len(one), VALUES), np.float32)
        ids = np.stack([self._ids[one], self._ids[other]], 1)
        place = np.searchsorted(self._known_keys, _keys(ids)).clip(max=max(len(self._known) - 1, 0))
        known = np.zeros(len(one), np.bool_)
        if len(self._known):
            known = (self._known_ids[place] == ids).all(1)
        values[known] = self._known[place[known]]
        new = np.flatnonzero(~known)
        for start in range(0, len(new), PIECE):
            part = new[start : start + PIECE]
            rows, places = np.unique(np.stack([one[part], other[part]]), return_inverse=True)
            first, second = self._pictures(rows)[places.reshape(2, -1)]
            values[part] = measure(first, second, np.minimum(self._sides[one[part]], self._sides[other[part]]))
        self._asked.append((ids, values))
        self._new |= bool(len(new))
        return Measures(values)

    def expect(self, rows: Int64s) -> None:
        """From here on pairs are asked for a few at a time, of these rows alone: when one is new, all rows are read at once."""
        self._expected = np.unique(rows)

    def _pictures(self, rows: Int64s) -> UInt8s:
        if self._expected is None:
            return self._read(rows)
        if self._pictures_of_expected is None:
            self._pictures_of_expected = self._read(self._expected)
        return np.asarray(self._pictures_of_expected[np.searchsorted(self._expected, rows)])

    def keep(self) -> None:
        """Store what was asked for, for the next run."""
        ids, values = (np.concatenate(each) for each in zip(*self._asked, strict=True))
        _, first = np.unique(_keys(ids), return_index=True)
        if not self._new and len(first) == len(self._known):
            return
        with whole_folder(self._folder) as made:
            stored = StoredArrays(made, TYPES)
            stored.append("ids", ids[first])
            stored.append("values", values[first])
            stored.seal(self._identity)


def _keys(ids: UInt64s) -> UInt64s:
    """A number for each pair, [P] of [P, 2]. Where two pairs have the same one of them is measured in each run."""
    return np.asarray(ids[:, 0] * np.uint64(0x9E3779B97F4A7C15) + (ids[:, 1] ^ ids[:, 1] >> np.uint64(29)))
