"""The hashes of files, and of which the last run knows them: a file that did not change is not opened."""

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from darkroom.runtime.cache import TableCache
from darkroom.runtime.files import file_hash
from darkroom.sources.folder_columns import mark_of
from darkroom.sources.image_files import MAX_IMAGE_BYTES
from darkroom.sources.listing import FILES

# A file that changed less than this before it was looked at may change again without a trace in its times: file systems
# count time in steps of up to some hundredths of a second, so such a file is hashed again the next time. Nanoseconds.
SETTLED = 100_000_000


class LookedAt(NamedTuple):
    """A file by its row and place, and a mark that changes when it does."""

    row: int
    place: str
    bytes: int
    mark: str
    changed: int


def hash_files(
    files: Sequence[str],
    base: Path,
    cache: Path,
    inputs: Collection[str] | None = None,
    hash_file: Callable[[Path], str] = file_hash,
) -> tuple[pa.Table, int]:
    """Hash the files that are new or changed since the last time, on all cores, with a progress bar.

    A file counts as unchanged when its length, inode, and times of content and of status are the same; nothing is opened
    then. The time of status can't be set back by a user, so an edit that restores the other times is noticed.

    Args:
        files: relative to `base`, or absolute.
        base: a folder.
        cache: `.darkroom/cache`.
        inputs: those that are no images; the others are not hashed where ingest will refuse them for their size. None where
            none is an image.
        hash_file: as `SourceKind.hash`.

    Returns:
        The columns of `darkroom.sources.listing.FILES`, a row for each file, and how many were hashed.
    """
    tables = hash_cache(cache)
    known = known_hashes(tables)
    now = time.time_ns()
    found = list(look_at_files(files, base))
    for one in found:
        if inputs is not None and one.bytes > MAX_IMAGE_BYTES and files[one.row] not in inputs:
            known[one.place, one.mark] = None
    hashed = hash_new(found, known, hash_file)
    settled = [
        (one.place, one.mark, sha256)
        for one in found
        if (sha256 := known[one.place, one.mark]) and now - one.changed > SETTLED
    ]
    columns = [pa.array(column, pa.string()) for column in zip(*settled, strict=True)] or [
        pa.array([], pa.string())
    ] * 3
    tables.save({"hashes": pa.table(columns, ["place", "mark", "sha256"])})
    sizes: list[int | None] = [None] * len(files)
    hashes: list[str | None] = [None] * len(files)
    for one in found:
        sizes[one.row], hashes[one.row] = one.bytes, known[one.place, one.mark]
    return pa.table([pa.array(list(files), pa.string()), sizes, pa.array(hashes, pa.string())], schema=FILES), hashed


def hash_cache(cache: Path) -> TableCache:
    """Where the hashes of the last survey are."""
    return TableCache(cache / "survey", "survey 2")


def known_hashes(tables: TableCache) -> dict[tuple[str, str], str | None]:
    """Place and mark → SHA-256 of the files of the last survey."""
    if (table := tables.load().get("hashes")) is None:
        return {}
    places, marks, hashes = (table[name].to_pylist() for name in ("place", "mark", "sha256"))
    return dict(zip(zip(places, marks, strict=True), hashes, strict=True))


def look_at_files(files: Sequence[str], base: Path) -> Iterator[LookedAt]:
    """Those that are there. Places are text: a million Path objects take eight seconds to make."""
    start = f"{base}/"
    for row, file in enumerate(files):
        place = file if file.startswith("/") else start + file
        try:
            status = os.stat(place)  # noqa: PTH116 (a Path for each file takes three times as long as the look)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield LookedAt(row, place, status.st_size, mark_of(status), status.st_ctime_ns)


def hash_new(
    files: list[LookedAt], known: dict[tuple[str, str], str | None], hash_file: Callable[[Path], str] = file_hash
) -> int:
    """Add the hashes of files that are not known, with a progress bar; how many there were."""
    new = [one for one in files if (one.place, one.mark) not in known]
    if not new:
        return 0
    # Loaded only here: a survey that finds nothing new is over in less time than these take to load.
    from tqdm import tqdm

    from darkroom.runtime.threads import in_order

    hashes = partial(hash_of, hash_file=hash_file)
    with tqdm(total=sum(one.bytes for one in new), desc="survey", unit="B", unit_scale=True, disable=None) as bar:
        for one, sha256 in zip(new, in_order(hashes, (one.place for one in new)), strict=True):
            bar.update(one.bytes)
            known[one.place, one.mark] = sha256
    return len(new)


def hash_of(place: str, hash_file: Callable[[Path], str] = file_hash) -> str | None:
    """SHA-256 of a file; None where it can't be read."""
    try:
        return hash_file(Path(place))
    except OSError:
        return None
