"""The one look at a source: its listing, and its files by hash, at the cost of a listing where nothing changed."""

import hashlib
import os
import stat
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from darkroom.runtime.cache import TableCache
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.sources.class_names import list_source
from darkroom.sources.folder import MAX_IMAGE_BYTES
from darkroom.sources.listing import FILES, Surveyed, to_tables
from darkroom.sources.registry import source_kind
from darkroom.sources.source import Listing, Location, SourceKind

# A file that changed less than this before it was looked at may change again without a trace in its times: file systems
# count time in steps of up to some hundredths of a second, so such a file is hashed again the next time. Nanoseconds.
SETTLED = 100_000_000
# A source that is another one after each of so many listings is written to.
LOOKS = 3


class _File(NamedTuple):
    """A file by its row and place, and a mark that changes when it does."""

    row: int
    place: str
    bytes: int
    mark: str
    changed: int


def survey(source: str, location: Location, cache: Path) -> tuple[dict[str, pa.Table], int]:
    """List a source, and hash its files that are new or changed since the last survey.

    The listing of an archive, of tables with images or of a data set that goes by its name is cached, for as long as nothing
    in it can have changed.

    Args:
        source: as in `ingest.source`.
        location: of the source.
        cache: `.darkroom/cache`, where hashes and listing are cached.

    Returns:
        The tables that `darkroom.sources.listing.write_survey` takes, and how many files were hashed.

    Raises:
        DarkroomError: when the source can't be listed.
    """
    kind = source_kind(source, location)
    if location.url and kind.readers:
        return _listed(list_source(kind, location)), 0
    found = kind.files(location)
    if found is None:
        return _list_and_hash(kind, location, cache)
    files, hashed = hash_files(found, location.base, cache)
    key = pa.table({"key": [_listing_key(source, location, files)]})
    cached = TableCache(cache / "listing", "listing 2")
    tables = cached.load()
    if tables.pop("key", None) != key:
        tables = to_tables(list_source(kind, location))
        cached.save(tables | {"key": key})
    return tables | {"files": files}, hashed


def _listed(listing: Listing) -> dict[str, pa.Table]:
    """The tables of a source whose listing tells all that is known of its files before they are read."""
    none = pa.nulls(len(listing.images), pa.string())
    paths = pa.array([image.file for image in listing.images], pa.string())
    return to_tables(listing) | {"files": pa.table([paths, pa.array(listing.sizes, pa.int64()), none], schema=FILES)}


def _list_and_hash(kind: SourceKind, location: Location, cache: Path) -> tuple[dict[str, pa.Table], int]:
    """As `survey`, of a source whose files only a listing finds: again where it changed between the listing and the hashing.

    A file that is listed and not there may be a broken link or a wrong row of a table, which another listing has, too.
    """
    hashed = 0
    for _ in range(LOOKS):
        before = _mark(location.path)
        listing = list_source(kind, location)
        files, new = hash_files(listing.files, location.base, cache, frozenset(listing.inputs))
        hashed += new
        if before == _mark(location.path) and (not files["bytes"].null_count or list_source(kind, location) == listing):
            return to_tables(listing) | {"files": files}, hashed
    raise DarkroomError(
        f"{location.path} changed {LOOKS} times while it was surveyed: run the line again when nothing writes to it"
    )


def _mark(path: Path) -> str | None:
    """What changes when a table, or what is directly in a folder, does; None where it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"


def hash_files(
    files: Sequence[str], base: Path, cache: Path, inputs: Collection[str] | None = None
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

    Returns:
        The columns of `darkroom.sources.listing.FILES`, a row for each file, and how many were hashed.
    """
    tables = TableCache(cache / "survey", "survey 1")
    known = _known(tables)
    now = time.time_ns()
    found = list(_look(files, base))
    for one in found:
        if inputs is not None and one.bytes > MAX_IMAGE_BYTES and files[one.row] not in inputs:
            known[one.place, one.mark] = None
    hashed = _hash_new(found, known)
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


def require_unchanged(surveyed: Surveyed, location: Location, cache: Path) -> None:
    """Stop where an archive, a table or a list is no longer what the survey found; images of their own are hashed when read.

    Args:
        surveyed: what the survey found.
        location: of the source.
        cache: `.darkroom/cache`; it is only read.

    Raises:
        DarkroomError: naming the file.
    """
    files = list(surveyed.containers)
    found = list(_look(files, location.base))
    known = _known(TableCache(cache / "survey", "survey 1"))
    _hash_new(found, known)
    hashes = {files[one.row]: known[one.place, one.mark] for one in found}
    for file, sha256 in surveyed.containers.items():
        if hashes.get(file) != sha256:
            raise DarkroomError(f"{file} changed after the survey: run the line again when the source is still")


def _known(tables: TableCache) -> dict[tuple[str, str], str | None]:
    """Place and mark → SHA-256 of the files of the last survey."""
    if (table := tables.load().get("hashes")) is None:
        return {}
    places, marks, hashes = (table[name].to_pylist() for name in ("place", "mark", "sha256"))
    return dict(zip(zip(places, marks, strict=True), hashes, strict=True))


def _look(files: Sequence[str], base: Path) -> Iterator[_File]:
    """Those that are there. Places are text: a million Path objects take eight seconds to make."""
    start = f"{base}/"
    for row, file in enumerate(files):
        place = file if file.startswith("/") else start + file
        try:
            status = os.stat(place)  # noqa: PTH116 (a Path for each file takes three times as long as the look)
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            mark = f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
            yield _File(row, place, status.st_size, mark, status.st_ctime_ns)


def _hash_new(files: list[_File], known: dict[tuple[str, str], str | None]) -> int:
    """Add the hashes of files that are not known, with a progress bar; how many there were."""
    new = [one for one in files if (one.place, one.mark) not in known]
    if not new:
        return 0
    # Loaded only here: a survey that finds nothing new is over in less time than these take to load.
    from tqdm import tqdm

    from darkroom.runtime.threads import in_order

    with tqdm(total=sum(one.bytes for one in new), desc="survey", unit="B", unit_scale=True, disable=None) as bar:
        for one, sha256 in zip(new, in_order(_hash, (one.place for one in new)), strict=True):
            bar.update(one.bytes)
            known[one.place, one.mark] = sha256
    return len(new)


def _hash(place: str) -> str | None:
    try:
        return file_hash(Path(place))
    except OSError:
        return None


def _listing_key(source: str, location: Location, files: pa.Table) -> str:
    """What decides a cached listing: the code, the settings and the files."""
    digest = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    for row in files.to_pylist():
        digest.update(repr(row).encode())
    return f"{source} {location} {digest.hexdigest()}"
