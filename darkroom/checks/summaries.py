"""The summaries of all ranges of a manifest, kept from run to run: a range whose part holds is not read again."""

import hashlib
import shutil
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from darkroom.checks.distribution import Distribution
from darkroom.checks.range_summary import FEW, IMAGES, MEASURED, Extreme, RangeFacts, extreme_rows, sides, summarize
from darkroom.checks.sizes import Sizes
from darkroom.images.manifest import ManifestRange, manifest_ranges, part_path, read_parts
from darkroom.runtime.arrays import Int64s, UInt64s
from darkroom.runtime.cache import TableCache
from darkroom.runtime.inputs import stage_input

# The code that decides what a part becomes.
CODE = ("distribution.py", "range_summary.py", "../images/pillow_decoder.py", "../runtime/columns.py")
FOLDER = "checks"


class Summaries:
    """Of the ranges of one manifest, in order; one range is in memory at a time, but for its facts."""

    def __init__(self, ranges: Sequence[ManifestRange], file_of: Callable[[str], Path], cache: Path) -> None:
        """Args:
        ranges: of the manifest.
        file_of: gives the file of a part by the name of its range; it is read only where there is no summary of the part.
        cache: `.darkroom/cache`; it need not exist.
        """
        self.ranges, self._file_of, self._cache = list(ranges), file_of, cache
        self._folder = cache / FOLDER / code_identity()
        self._used = {self.folder(each) for each in self.ranges}
        self.starts = np.cumsum([0, *(each.images for each in self.ranges)])
        self.facts = [RangeFacts.of(self.table(number, "facts")) for number in range(len(self.ranges))]

    @property
    def images(self) -> int:
        return int(self.starts[-1])

    @property
    def gaps(self) -> set[str]:
        """Columns that should have a value in each row, and have not."""
        return {name for each in self.facts for name in each.gaps}

    @property
    def labels(self) -> Counter[str]:
        """Images of each label."""
        return sum((Counter(each.labels or {}) for each in self.facts), Counter[str]())

    def counts_of(self, label: str) -> list[int]:
        """Images of a label in each range."""
        return [(each.labels or {}).get(label, 0) for each in self.facts]

    def table(self, number: int, name: str) -> pa.Table:
        """One table of the summary of a range, as `darkroom.checks.range_summary.summarize` gives it."""
        cached = TableCache(self.folder(self.ranges[number]), self.ranges[number].sha256)
        if tables := cached.load([name]):
            return tables[name]
        made = summarize(_read_part(self._file_of(self.ranges[number].name)))
        cached.save(made)
        return made[name]

    def folder(self, part: ManifestRange) -> Path:
        """Where the summary of a part is, or would be."""
        return self._folder / part.sha256[:32]

    def columns(self, names: list[str]) -> list[npt.NDArray[Any]]:
        """Columns of the table `images`, [N] each."""
        types = [IMAGES.field(name).type.to_pandas_dtype() for name in names]
        found = [np.empty(self.images, dtype) for dtype in types]
        for number in self._numbers:
            table = self.table(number, "images")
            for column, name in zip(found, names, strict=True):
                column[self.starts[number] : self.starts[number + 1]] = table[name].to_numpy()
        return found

    def rows(self, chosen: Int64s) -> Iterator[tuple[int, Int64s]]:
        """The ranges that some rows of the manifest are in, and the rows in each.

        Args:
            chosen: ascending, int64 [n].
        """
        ends = np.searchsorted(chosen, self.starts)
        for number in np.flatnonzero(np.diff(ends)).tolist():
            yield number, chosen[ends[number] : ends[number + 1]] - self.starts[number]

    def hashes(self, chosen: Int64s) -> pa.Array:
        """The whole SHA-256 of some rows, binary(32) [n]; `chosen` as in `rows`."""
        found = [
            self.table(number, "hashes")["sha256"].combine_chunks().take(rows) for number, rows in self.rows(chosen)
        ]
        return pa.concat_arrays([pa.array([], pa.binary(32)), *found])

    def leading_hashes(self) -> UInt64s:
        """The first 64 bits of each image's SHA-256, uint64 [N]."""
        found = np.empty(self.images, np.uint64)
        for number in self._numbers:
            hashes = self.table(number, "hashes")["sha256"].combine_chunks()
            words = np.frombuffer(hashes.buffers()[1], ">u8").reshape(-1, 4)
            found[self.starts[number] : self.starts[number + 1]] = words[hashes.offset : hashes.offset + len(hashes), 0]
        return found

    def groups(self) -> tuple[Int64s, pa.Array]:
        """Rows of images with a group of the user's, ascending, int64 [G], and the names that these give, binary(32) [G]."""
        tables = [self.table(number, "groups") for number in self._numbers]
        rows = [table["row"].to_numpy() + start for table, start in zip(tables, self.starts, strict=False)]
        names = [table["name"].combine_chunks() for table in tables]
        return np.concatenate([np.empty(0, np.int64), *rows]), pa.concat_arrays([pa.array([], pa.binary(32)), *names])

    def texts(self, chosen: Int64s, columns: list[str]) -> pa.Table:
        """Columns of the manifest of some rows, read from the parts that these are in; `chosen` as in `rows`."""
        schema = pa.schema([(name, pa.string()) for name in columns])
        return pa.concat_tables(
            [schema.empty_table(), *(self.part(number, columns).take(rows) for number, rows in self.rows(chosen))]
        )

    def part(self, number: int, columns: list[str]) -> pa.Table:
        """Columns of the manifest of one range."""
        return _read_part(self._file_of(self.ranges[number].name), columns)

    def extremes(self, name: str) -> list[Extreme]:
        """The extreme few of all ranges; `name` as in `RangeFacts.extremes`, and their rows those of the whole manifest."""
        found = [
            one._replace(row=one.row + int(start))
            for start, each in zip(self.starts, self.facts, strict=False)
            for one in (each.extremes or {}).get(name, [])
        ]
        if name in ("grey", "colour"):
            return found[:FEW]
        values = np.array([one.value for one in found])
        return [found[place] for place in extreme_rows(values, name.endswith(" least"))]

    def distribution(self, column: str, sizes: Sizes | None = None) -> Distribution:
        """The values of a column of what is checked; `sizes` are those of `sizes`, where they are known already."""
        if column not in MEASURED:
            return (sizes or self.sizes).distribution(lambda width, height: sides(width, height)[column])
        tables = (self.table(number, column) for number in self._numbers)
        # Copied, since the table would hold the bytes of its file.
        return Distribution((table["value"].to_numpy().copy(), table["images"].to_numpy()) for table in tables)

    @property
    def sizes(self) -> Sizes:
        """The sizes of all images."""
        return Sizes.merged((int(self.starts[number]), self.table(number, "sizes")) for number in self._numbers)

    def range_of_path(self, path: str) -> int:
        """The range that a path of the manifest is in."""
        return bisect_left(self.facts, path, key=lambda each: each.last)

    def with_others(self, ranges: Sequence[ManifestRange], file_of: Callable[[str], Path]) -> "Summaries":
        """The summaries of another manifest, which `forget_others` then keeps as well."""
        others = Summaries(ranges, file_of, self._cache)
        self._used |= others._used
        return others

    def forget_others(self) -> None:
        """Remove the summaries of earlier manifests."""
        for folder in self._folder.parent.glob("*/*"):
            if folder not in self._used:
                shutil.rmtree(folder, ignore_errors=True)

    @property
    def _numbers(self) -> range:
        return range(len(self.ranges))


def summaries_of(ingest: Path, cache: Path) -> Summaries:
    """The summaries of the manifest that the ingest stage wrote; those that are missing are made."""
    return Summaries(manifest_ranges(ingest), partial(part_path, ingest), cache)


@stage_input
def _read_part(file: Path, columns: list[str] | None = None) -> pa.Table:
    return read_parts([file], columns)


@cache
def code_identity() -> str:
    """What decides the summary of a part."""
    digest = hashlib.sha256()
    for file in CODE:
        digest.update((Path(__file__).parent / file).read_bytes())
    digest.update(f"numpy=={np.__version__} pyarrow=={pa.__version__}".encode())
    return digest.hexdigest()[:16]
