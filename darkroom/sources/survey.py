"""What the files of a source are, by name and hash, at the cost of a listing where nothing changed."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from joblib import Parallel, delayed
from tqdm import tqdm

from darkroom.kept import KeptTables

SURVEYED = pa.schema([("path", pa.string()), ("bytes", pa.int64()), ("sha256", pa.string())])
# A file that changed less than this before it was looked at may change again without a trace in its times: file systems
# count time in steps of up to some hundredths of a second, so such a file is hashed again the next time. Nanoseconds.
SETTLED = 100_000_000


@dataclass(frozen=True)
class _Found:
    """A file, where it is, and a mark that changes when the file does."""

    name: str
    place: str
    bytes: int | None
    mark: str
    settled: bool


def survey(files: list[tuple[str, Path]], seen: Path) -> tuple[pa.Table, int]:
    """Hash the files that are new or changed since the last survey, on all cores, with a progress bar.

    A file counts as unchanged when its length, inode, and times of content and of status are the same; nothing is opened
    then. The time of status can't be set back by a user, so an edit that restores the other times is seen.

    Args:
        files: name and place of each, sorted by name.
        seen: `.darkroom/seen`, where the hashes are kept.

    Returns:
        `path`, `bytes`, `sha256` of each file, in the order given, and how many were hashed. Of a file that can't be read
        the last two are null.
    """
    kept = KeptTables(seen / "survey", "survey 1")
    known: dict[tuple[str, str], str | None] = {}
    if table := kept.load().get("hashes"):
        known = {(place, mark): sha256 for place, mark, sha256 in zip(*table.to_pydict().values(), strict=True)}
    found = [_look(name, file) for name, file in files]
    new = [one for one in found if one.bytes is not None and (one.place, one.mark) not in known]
    with tqdm(total=sum(one.bytes or 0 for one in new), desc="survey", unit="B", unit_scale=True, disable=None) as bar:
        work = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
        for one, sha256 in zip(new, work(delayed(_hash)(one.place) for one in new), strict=True):
            known[one.place, one.mark] = sha256
            bar.update(one.bytes or 0)
    hashes = [known.get((one.place, one.mark)) for one in found]
    settled = [(one, sha256) for one, sha256 in zip(found, hashes, strict=True) if one.settled and sha256]
    kept.save(
        {
            "hashes": pa.table(
                {
                    "place": [one.place for one, _ in settled],
                    "mark": [one.mark for one, _ in settled],
                    "sha256": [sha256 for _, sha256 in settled],
                }
            )
        }
    )
    columns = [[one.name for one in found], [one.bytes for one in found], hashes]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SURVEYED, strict=True)]
    return pa.table(arrays, schema=SURVEYED), len(new)


def _look(name: str, file: Path) -> _Found:
    place = os.path.abspath(file)  # noqa: PTH100 (resolve() would follow links, and asks the disk for each part)
    now = time.time_ns()
    try:
        status = file.stat()
    except OSError:
        return _Found(name, place, None, "", False)
    mark = f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
    return _Found(name, place, status.st_size, mark, now - status.st_ctime_ns > SETTLED)


def _hash(place: str) -> str | None:
    try:
        with Path(place).open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return None
