"""The survey of a folder, a range at a time: what is new or changed is hashed, and the rest is known from the last survey."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather

from darkroom.runtime.cuts import range_ends, range_name
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import read_json, whole_file, write_json
from darkroom.sources import file_hashes
from darkroom.sources.file_hashes import hash_of
from darkroom.sources.folder_columns import WALKED, Walked, list_columns, require_folder, status_mark, walk_files
from darkroom.sources.image_files import MAX_IMAGE_BYTES
from darkroom.sources.listing import FILES
from darkroom.sources.source import Location
from darkroom.sources.survey_parts import Found, SurveyWriter, paths_of

# A source that is another one after each of so many listings is written to.
LOOKS = 3
HASHED = WALKED.append(pa.field("sha256", pa.string()))
INDEX = "ranges.json"


def look_at_folder(location: Location) -> Walked:
    """Every file below the folder of a source.

    Raises:
        DarkroomError: when there is no such folder, or one in it can't be listed.
    """
    require_folder(location.path)
    return walk_files(location.path)


def survey_folder(location: Location, walked: Walked, cache: Path, new_writer: Callable[[], SurveyWriter]) -> Found:
    """List a folder, and hash its files that are new or changed since the last survey, on all cores, with a progress bar.

    A file counts as unchanged when its length, inode, and times of content and of status are the same; nothing is opened
    then. Where a file can't be hashed, the folder is looked at again: it may be a broken link, which another look finds, too.

    Args:
        location: of the source.
        walked: what is in it.
        cache: `.darkroom/cache`.
        new_writer: gives an empty one for each look.

    Raises:
        DarkroomError: when it contains fewer than two classes, or changes while it is looked at.
    """
    hashed = 0
    for _ in range(LOOKS):
        known = _KnownHashes(cache / "folder", location.path)
        listing = list_columns(location, walked)
        writer = new_writer()
        start = 0
        for end in range_ends(paths_of(listing.names)):
            files = listing.files.slice(start, end - start)
            first = listing.names[start].as_py()
            hashes = known.hashes(files, range_name(first), walked.looked_at)
            mark = listing.hashed_mark(start, end, hashes)
            if not writer.keep(first, mark):
                sizes = pc.if_else(pc.less(files["bytes"], 0), None, files["bytes"])
                images = listing.images(start, end).append_column("bytes", sizes).append_column("sha256", hashes)
                writer.add(images, mark)
            start = end
        known.save()
        hashed += known.hashed
        there = not known.failed and (not len(listing.files) or pc.min(listing.files["bytes"]).as_py() >= 0)
        again = walked if there else walk_files(location.path)
        if walked.mark == status_mark(location.path) and again.digest == walked.digest:
            writer.close(FILES.empty_table(), listing.ignored, listing.classes)
            files = len(listing.files) - pc.sum(pc.less(listing.files["bytes"], 0)).as_py()
            return Found(writer.images, len(listing.classes), files, hashed, not known.failed)
        walked = walk_files(location.path) if there else again
    raise restless(location)


def restless(location: Location) -> DarkroomError:
    """The error about a source that changed in each look."""
    return DarkroomError(
        f"{location.path} changed {LOOKS} times while it was surveyed: run the line again when nothing writes to it"
    )


class _KnownHashes:
    """The hashes of the last survey, in a file for each range, of which only those are read whose paths are asked for.

    Attributes:
        hashed: how many files were.
        failed: how many are there and could not be.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        """Args:
        folder: in the cache; it need not exist.
        root: of the source; hashes of another one are of no use.
        """
        self._folder, self._root = folder, str(root)
        self.hashed = self.failed = 0
        self._made: list[tuple[str, str, str]] = []
        self._loaded: dict[str, pa.Table] = {}
        try:
            content = read_json(folder / INDEX) if (folder / INDEX).exists() else {"root": "", "ranges": []}
            ranges = [tuple(map(str, each)) for each in content["ranges"]]
            self._index = ranges if content["root"] == self._root else []
        except (OSError, ValueError, LookupError, TypeError) as error:
            print(f"the cache {folder} is damaged ({error}): it is computed again")
            self._index = []

    def hashes(self, files: pa.Table, name: str, looked_at: int) -> pa.ChunkedArray:
        """SHA-256 of the files of a range, the columns of `WALKED`; null where one is not there, or can't be read.

        Args:
            files: sorted by path.
            name: of the range.
            looked_at: when they were, in nanoseconds.
        """
        found = self._find(files)
        wanted = pc.and_(
            pc.is_null(found),
            pc.and_(pc.greater_equal(files["bytes"], 0), pc.less_equal(files["bytes"], MAX_IMAGE_BYTES)),
        )
        rows = pc.indices_nonzero(wanted)
        if len(rows):
            new = pa.array(self._hash(files["path"].take(rows)), pa.string())
            found = pc.replace_with_mask(found.combine_chunks(), wanted.combine_chunks(), new)
            found = pa.chunked_array([found])
        settled = pc.less(files["ctime_ns"], looked_at - file_hashes.SETTLED)
        self._keep(name, files.append_column("sha256", pc.if_else(settled, found, None)).cast(HASHED).combine_chunks())
        return found

    def _find(self, files: pa.Table) -> pa.ChunkedArray:
        """The hashes of those that are known, and did not change."""
        first, last = files["path"][0].as_py(), files["path"][-1].as_py()
        near = [file for file, start, end in self._index if start <= last and end >= first]
        self._loaded = {file: self._loaded.get(file) or self._load(file) for file in near}
        known = pa.concat_tables([HASHED.empty_table(), *self._loaded.values()]).combine_chunks()
        rows = pc.index_in(files["path"], known["path"].combine_chunks())
        same = pc.is_valid(rows)
        for name in WALKED.names[1:]:
            same = pc.and_(same, pc.fill_null(pc.equal(known[name].take(rows), files[name]), False))
        return pa.chunked_array([pc.if_else(same, known["sha256"].take(rows), None).combine_chunks()], pa.string())

    def _load(self, file: str) -> pa.Table:
        try:
            content = (self._folder / file).read_bytes()
        except OSError:
            content = b""
        if f"{zlib.crc32(content):08x}" != file[-14:-6]:
            print(f"the cache {self._folder / file} is damaged: its files are hashed again")
            return HASHED.empty_table()
        return feather.read_table(pa.BufferReader(content))

    def _hash(self, paths: pa.ChunkedArray) -> Iterator[str | None]:
        # Loaded only here: a survey that finds nothing new is over in less time than these take to load.
        from tqdm import tqdm

        from darkroom.runtime.threads import in_order

        places = (f"{self._root}/{path}" for path in paths.to_pylist())
        for sha256 in tqdm(in_order(hash_of, places), total=len(paths), desc="survey", unit=" files", disable=None):
            self.hashed += 1
            self.failed += sha256 is None
            yield sha256

    def _keep(self, name: str, table: pa.Table) -> None:
        """Write a range; the name of its file has the CRC-32 of what is in it, so that no file is ever written over."""
        buffer = pa.BufferOutputStream()
        feather.write_feather(table, buffer, compression="uncompressed")
        content = buffer.getvalue()
        file = self._folder / f"{name}-{zlib.crc32(content):08x}.arrow"
        if not file.exists():
            with whole_file(file) as partial:
                partial.write_bytes(content)
        self._made.append((file.name, table["path"][0].as_py(), table["path"][-1].as_py()))

    def save(self) -> None:
        """Replace the index, and remove the files that are no longer in it."""
        with whole_file(self._folder / INDEX) as partial:
            write_json(partial, {"root": self._root, "ranges": self._made})
        there = {INDEX, *(file for file, _, _ in self._made)}
        for path in self._folder.iterdir():
            if path.name not in there:
                path.unlink()
