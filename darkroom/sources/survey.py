"""What the files of a source are, by name and hash, at the cost of a listing where nothing changed."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from darkroom.runtime.cache import KeptTables

SURVEYED = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])
# A file that changed less than this before it was looked at may change again without a trace in its times: file systems
# count time in steps of up to some hundredths of a second, so such a file is hashed again the next time. Nanoseconds.
SETTLED = 100_000_000


class _Found(NamedTuple):
    """A file by its name and place, and a mark that changes when it does."""

    name: str
    place: str
    bytes: int
    mark: str
    changed: int


def survey(files: list[tuple[str, str]], seen: Path) -> tuple[pa.Table, int]:
    """Hash the files that are new or changed since the last survey, on all cores, with a progress bar.

    A file counts as unchanged when its length, inode, and times of content and of status are the same; nothing is opened
    then. The time of status can't be set back by a user, so an edit that restores the other times is seen.

    Args:
        files: name and place of each, sorted by name; those that are not there are left out.
        seen: `.darkroom/seen`, where the hashes are kept.

    Returns:
        `path`, `bytes`, `sha256` of each file, in the order given, and how many were hashed. Of a file that can't be read
        the last is null.
    """
    kept = KeptTables(seen / "survey", "survey 1")
    known: dict[tuple[str, str], str | None] = {}
    if table := kept.load().get("hashes"):
        places, marks, before = (table[name].to_pylist() for name in ("place", "mark", "sha256"))
        known = dict(zip(zip(places, marks, strict=True), before, strict=True))
    now = time.time_ns()
    found = list(_look(files))
    new = [one for one in found if (one.place, one.mark) not in known]
    for one, sha256 in zip(new, _hash_all(new), strict=True):
        known[one.place, one.mark] = sha256
    hashes = [known[one.place, one.mark] for one in found]
    settled = [
        (one.place, one.mark, sha256)
        for one, sha256 in zip(found, hashes, strict=True)
        if sha256 and now - one.changed > SETTLED
    ]
    hashed = [pa.array(column, pa.string()) for column in zip(*settled, strict=True)] or [pa.array([], pa.string())] * 3
    kept.save({"hashes": pa.table(hashed, ["place", "mark", "sha256"])})
    columns: list[list[Any]] = [[one.name for one in found], [one.bytes for one in found], hashes]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SURVEYED, strict=True)]
    return pa.table(arrays, schema=SURVEYED), len(new)


def _look(files: list[tuple[str, str]]) -> Iterator[_Found]:
    for name, place in files:
        try:
            status = os.stat(place)  # noqa: PTH116 (a Path for each file takes three times as long as the look)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            mark = f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
            yield _Found(name, place, status.st_size, mark, status.st_ctime_ns)


def _hash_all(files: list[_Found]) -> Iterator[str | None]:
    """The hash of each file, with a progress bar."""
    if not files:
        return
    # Loaded only here: a survey that finds nothing new is over in less time than these take to load.
    from tqdm import tqdm

    from darkroom.runtime.threads import in_order

    with tqdm(total=sum(one.bytes for one in files), desc="survey", unit="B", unit_scale=True, disable=None) as bar:
        for one, sha256 in zip(files, in_order(_hash, (one.place for one in files)), strict=True):
            bar.update(one.bytes)
            yield sha256


def _hash(place: str) -> str | None:
    try:
        with Path(place).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return None
