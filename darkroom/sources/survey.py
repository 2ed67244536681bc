"""The one look at a source: its listing, and its files by hash, at the cost of a listing where nothing changed."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime import cuts
from darkroom.runtime.cache import TableCache
from darkroom.runtime.errors import DarkroomError
from darkroom.sources import file_hashes
from darkroom.sources.class_names import list_source
from darkroom.sources.file_hashes import hash_cache, hash_files, hash_new, known_hashes, look_at_files
from darkroom.sources.folder import FOLDER
from darkroom.sources.folder_columns import Walked, status_mark
from darkroom.sources.folder_survey import LOOKS, look_at_folder, restless, survey_folder
from darkroom.sources.listing import FILES, to_tables
from darkroom.sources.previous_parts import PreviousParts
from darkroom.sources.registry import source_kind
from darkroom.sources.source import Listing, Location, SourceKind
from darkroom.sources.survey_parts import Found, SurveyWriter, write_columns, write_listing
from darkroom.sources.zip_archive import ZIP
from darkroom.sources.zip_columns import zip_columns


@dataclass(frozen=True)
class Look:
    """What a look at a source tells before anything in it is opened.

    Attributes:
        mark: what changes when the source, the settings that say how it is listed, or the code that lists it do; None where
            only a survey can tell, or where a file changed a moment ago.
        walked: the files of a folder.
    """

    mark: str | None
    walked: Walked | None = None


def look_at(source: str, location: Location) -> Look:
    """Look at a source: at each file of a folder, at an archive, at the tables and lists of other kinds.

    Raises:
        DarkroomError: when it is not there.
    """
    kind, walked = source_kind(source, location), None
    if kind.name == FOLDER.name and location.url is None:
        walked = look_at_folder(location)
        young = len(walked.files) and pc.max(walked.files["ctime_ns"]).as_py() > walked.looked_at - file_hashes.SETTLED
        marks = None if young else [walked.digest]
    else:
        marks = None if location.url else _marks(kind.files(location), location.base)
    return Look(f"{_identity(source, location)} {marks}" if marks is not None else None, walked)


def _marks(files: Sequence[str] | None, base: Path) -> list[str] | None:
    """A mark of each file; None where one is not there, or changed a moment ago."""
    now = time.time_ns()
    found = list(look_at_files(files or (), base))
    if files is None or len(found) < len(files) or any(now - one.changed < file_hashes.SETTLED for one in found):
        return None
    return [one.mark for one in found]


def survey(source: str, location: Location, look: Look, cache: Path, folder: Path, before: Path) -> Found:
    """List a source, and hash its files that are new or changed since the last survey.

    The listing of an archive, of tables with images or of a data set that goes by its name is cached, for as long as nothing
    in it can have changed.

    Args:
        source: as in `ingest.source`.
        location: of the source.
        look: as `look_at` found it.
        cache: `.darkroom/cache`, where hashes and listing are cached.
        folder, before: as in `SurveyWriter`.

    Raises:
        DarkroomError: when the source can't be listed.
    """
    kind = source_kind(source, location)
    previous = PreviousParts(cache, _identity(source, location), before)
    if look.walked is not None:
        return survey_folder(location, look.walked, cache, lambda: SurveyWriter(folder, before, previous))
    writer, hashed, found = SurveyWriter(folder, before, previous), 0, kind.files(location)
    if location.url and kind.readers:
        tables = _listed(list_source(kind, location))
    elif found is None:
        tables, hashed = _list_and_hash(kind, location, cache)
    else:
        files, hashed = hash_files(found, location.base, cache, hash_file=kind.hash)
        if kind.name == ZIP.name and (columns := zip_columns(location)) is not None:
            write_columns(columns, writer)
            writer.close(files, columns.ignored, columns.classes)
            return Found(writer.images, len(columns.classes), len(files), hashed)
        key = pa.table({"key": [_listing_key(source, location, files)]})
        cached = TableCache(cache / "listing", "listing 3")
        tables = cached.load()
        if tables.pop("key", None) != key:
            tables = to_tables(list_source(kind, location))
            cached.save(tables | {"key": key})
        tables |= {"files": files}
    write_listing(tables, writer)
    there = len(tables["files"]) - tables["files"]["bytes"].null_count
    return Found(writer.images, len(tables["classes"]), there, hashed)


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
        before = status_mark(location.path)
        listing = list_source(kind, location)
        files, new = hash_files(listing.files, location.base, cache, frozenset(listing.inputs))
        hashed += new
        if before == status_mark(location.path) and (
            not files["bytes"].null_count or list_source(kind, location) == listing
        ):
            return to_tables(listing) | {"files": files}, hashed
    raise restless(location)


def require_unchanged(containers: Mapping[str, str | None], kind: SourceKind, location: Location, cache: Path) -> None:
    """Stop where an archive, a table or a list is no longer what the survey found; images of their own are hashed when read.

    Args:
        containers: path and SHA-256 of each file that is not one image, as the survey found them.
        kind, location: of the source.
        cache: `.darkroom/cache`; it is only read.

    Raises:
        DarkroomError: naming the file.
    """
    if not containers:
        return
    files = list(containers)
    found = list(look_at_files(files, location.base))
    known = known_hashes(hash_cache(cache))
    hash_new(found, known, kind.hash)
    hashes = {files[one.row]: known[one.place, one.mark] for one in found}
    for file, sha256 in containers.items():
        if hashes.get(file) != sha256:
            raise DarkroomError(f"{file} changed after the survey: run the line again when the source is still")


def _identity(source: str, location: Location) -> str:
    """What decides a listing but the files: the code and the settings."""
    digest = hashlib.sha256()
    for module in (*sorted(Path(__file__).parent.glob("*.py")), Path(cuts.__file__)):
        digest.update(module.read_bytes())
    return f"{source} {location} {digest.hexdigest()}"


def _listing_key(source: str, location: Location, files: pa.Table) -> str:
    """What decides a cached listing: the code, the settings and the files."""
    digest = hashlib.sha256()
    for row in files.to_pylist():
        digest.update(repr(row).encode())
    return f"{_identity(source, location)} {digest.hexdigest()}"
