"""The sets of copies of a data set as one table: a row for each image of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from darkroom.duplicates.groups import Copies, Sets
from darkroom.runtime.arrays import Bools, Int64s

COPIES = pa.schema([("set", pa.int64()), ("path", pa.string()), ("label", pa.string()), ("exact", pa.bool_())])


@dataclass(frozen=True)
class CopiesTable:
    """Sets of more than one image, in the order of their first paths.

    Attributes:
        table: with the columns of `COPIES`; sets are numbered from 0 in their order, the images of each are in that of their
            paths.
    """

    table: pa.Table

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> Copies:
        rows = self.table.slice(self._starts[number], self._starts[number + 1] - self._starts[number])
        return Copies(tuple(rows["path"].to_pylist()), tuple(rows["label"].to_pylist()), rows["exact"][0].as_py())

    @cached_property
    def _starts(self) -> Int64s:
        numbers = self.table["set"].to_numpy()
        return np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1], [True]]))[: len(numbers) + 1]

    @cached_property
    def lengths(self) -> Int64s:
        """Images of each set, int64 [K]."""
        return np.diff(self._starts)

    @cached_property
    def exact(self) -> Bools:
        """Whether all images of a set have the same bytes, bool [K]."""
        return np.asarray(self.table["exact"].to_numpy(zero_copy_only=False)[self._starts[:-1]], bool)

    @cached_property
    def conflicting(self) -> Bools:
        """Whether a set has several labels, bool [K]."""
        labels = self.table["label"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
        if not len(self):
            return np.empty(0, bool)
        starts = self._starts[:-1]
        return np.asarray(np.minimum.reduceat(labels, starts) != np.maximum.reduceat(labels, starts))

    def some(self, numbers: Int64s | Sequence[int]) -> list[Copies]:
        """Some of the sets, in the order given."""
        return [self[int(number)] for number in numbers]


def copies_table(copies: Sets, paths: pa.Array, labels: pa.Array) -> CopiesTable:
    """The table of sets; paths and labels of `copies.rows`."""
    order = np.argsort(copies.leads, kind="stable")
    leads = copies.leads[order]
    first = np.concatenate([[True], leads[1:] != leads[:-1]])[: len(leads)]
    numbers = np.cumsum(first) - 1
    exact = np.empty(0, bool)
    if len(leads):
        hashes = copies.hashes.dictionary_encode().indices.to_numpy(zero_copy_only=False)[order]
        starts = np.flatnonzero(first)
        exact = (np.minimum.reduceat(hashes, starts) == np.maximum.reduceat(hashes, starts))[numbers]
    columns = [
        pa.array(numbers, pa.int64()),
        paths.take(pa.array(order)),
        labels.take(pa.array(order)),
        pa.array(exact),
    ]
    return CopiesTable(pa.table(columns, names=COPIES.names))
