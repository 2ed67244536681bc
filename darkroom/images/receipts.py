"""Receipts: what each packed range was made from, and what it is, so that a range that did not change is left alone."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.images.packed import PackedRange
from darkroom.runtime.arrays import Int32s, Int64s
from darkroom.runtime.cache import TableCache
from darkroom.runtime.files import file_hash, link_or_copy, whole_file

# The cached side of a receipt: `key` and `made_from` of the images, `sha256` of the file, by which bytes and time it is known
# again without reading it, and the counts of its pixels' values. The hashes of its images are beside it, in hex.
RECEIPTS = pa.schema(
    [
        ("file", pa.string()),
        ("images", pa.int64()),
        ("key", pa.string()),
        ("made_from", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("counts", pa.list_(pa.int64())),
    ]
)


@dataclass(frozen=True)
class Receipt:
    """What a packed range was made from, and what it is.

    Attributes:
        file: `<split>/<name>.npy`.
        images: how many.
        key: `rows_key`.
        made_from: SHA-256 of the hashes of its images' files, in order.
        sha256: of the file.
        bytes, mtime_ns: of the file; a file with both is not read again.
        counts: of its pixels' values, int64 [C * 256]; empty where they were not asked for.
    """

    file: str
    images: int
    key: str
    made_from: str
    sha256: str
    bytes: int
    mtime_ns: int
    counts: list[int]

    @property
    def packed(self) -> PackedRange:
        return PackedRange(Path(self.file).stem, self.images, self.sha256)


class PackedBefore:
    """The ranges that the last run packed, where they are still what it left."""

    def __init__(self, cache: Path, identity: str, counted: bool, folder: Path) -> None:
        """Args:
        cache: `.darkroom/cache/ranges`; it need not exist.
        identity: of what the images become; ranges of another form are forgotten.
        counted: whether the values of the pixels are needed.
        folder: `data/preprocess`; it need not exist.
        """
        self._cache, self._folder = cache, folder
        self._tables = TableCache(cache / "receipts", f"{identity} {counted}")
        table = self._tables.load().get("receipts", RECEIPTS.empty_table())
        self._receipts = {each["file"]: Receipt(**each) for each in table.to_pylist()}
        self._whole: dict[str, bool] = {}

    def receipt(self, file: str, key: str, hashes: Callable[[], pa.ChunkedArray]) -> Receipt | None:
        """The receipt of a range, where it holds: the same images in the same order, and the file that they became.

        Args:
            file: as in `Receipt`.
            key: of its images now; where it is another one, as after a label fix, their hashes are compared.
            hashes: gives the SHA-256 of each image's file.
        """
        known = self._receipts.get(file)
        if known is None or (known.key != key and known.made_from != made_from(hashes())) or not self._is_whole(known):
            return None
        return replace(known, key=key)

    def link(self, receipt: Receipt, folder: Path) -> None:
        """Have the file of a range in the new folder as well, without copying it where the file system has links."""
        link_or_copy(self._folder / receipt.file, folder / receipt.file)

    def has_others(self, held: set[str]) -> bool:
        """Whether there are ranges beside those that hold."""
        return not held.issuperset(self._receipts)

    def find(self, hashes: pa.ChunkedArray, held: set[str]) -> list[tuple[Path, Int64s, Int64s]]:
        """Where the pixels of images are in files of ranges that do not hold: file, rows in it, positions in `hashes`.

        An image that left a range changed it, so ranges that hold have nothing to give.

        Args:
            hashes: SHA-256 of each image's file, `large_string` [N].
            held: the files of the ranges that hold.
        """
        left = [each for each in self._receipts.values() if each.file not in held]
        known = [(each, listed) for each in left if (listed := self._hashes(each)) is not None and self._is_whole(each)]
        if not known:
            return []
        everything = pa.concat_arrays([listed for _, listed in known])
        found = pc.index_in(hashes, value_set=everything).fill_null(-1).to_numpy(zero_copy_only=False)
        starts = np.cumsum([0, *(len(listed) for _, listed in known)])
        places = np.flatnonzero(found >= 0)
        file_of = np.searchsorted(starts, found[places], "right") - 1
        return [
            (
                (self._folder / each.file).resolve(),
                found[places[file_of == number]].astype(np.int64) - starts[number],
                places[file_of == number],
            )
            for number, (each, _) in enumerate(known)
        ]

    def _hashes(self, receipt: Receipt) -> pa.Array | None:
        try:
            content = (self._cache / receipt.file).with_suffix(".sha256").read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            return None
        if hashlib.sha256(content.encode()).hexdigest() != receipt.made_from:
            return None
        return pa.array(content.splitlines(), pa.large_string())

    def _is_whole(self, receipt: Receipt) -> bool:
        """Whether the file is there and unchanged; it is read only where its time or size is another one."""
        if receipt.file not in self._whole:
            self._whole[receipt.file] = self._look_at(receipt)
        return self._whole[receipt.file]

    def _look_at(self, receipt: Receipt) -> bool:
        path = self._folder / receipt.file
        try:
            status = path.stat()
            if (status.st_size, status.st_mtime_ns) == (receipt.bytes, receipt.mtime_ns):
                return True
            if file_hash(path) == receipt.sha256:
                return True
        except OSError:
            return False
        print(f"{path} is damaged, or of another run: its images are packed again")
        return False

    def save(self, receipts: Sequence[Receipt], hashes: Iterable[tuple[str, pa.ChunkedArray]]) -> None:
        """Replace the receipts; call it when the folder is in its place.

        Args:
            receipts: of all ranges.
            hashes: the SHA-256 of each image's file of the ranges that are new, by file.
        """
        for file, listed in hashes:
            with whole_file((self._cache / file).with_suffix(".sha256")) as partial:
                partial.write_text(_listed(listed), encoding="ascii")
        rows = [vars(each) for each in receipts]
        self._tables.save({"receipts": pa.Table.from_pylist(rows, RECEIPTS)})
        there = {(self._cache / each.file).with_suffix(".sha256") for each in receipts}
        for path in self._cache.glob("*/*.sha256"):
            if path not in there:
                path.unlink()


def rows_key(part: str, rows: Int32s) -> str:
    """What says, without looking at the images, that they are as they were: of a part of the manifest, the same rows.

    Args:
        part: SHA-256 of the part.
        rows: int32 [n].
    """
    return hashlib.sha256(bytes.fromhex(part) + rows.tobytes()).hexdigest()


def made_from(hashes: pa.ChunkedArray) -> str:
    """What a range is made from: SHA-256 of the list of the SHA-256 of its images' files, in order."""
    return hashlib.sha256(_listed(hashes).encode()).hexdigest()


def _listed(hashes: pa.ChunkedArray) -> str:
    return "\n".join(hashes.to_pylist())
