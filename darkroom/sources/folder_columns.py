"""A folder as columns: a row for each file and no object, so that a million files take some 60 MB."""

import hashlib
import os
import stat
import time
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darkroom.runtime.columns import update_with_text
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from darkroom.sources.image_columns import ImageColumns, place_images
from darkroom.sources.image_files import no_file
from darkroom.sources.names import as_utf8, describe_names, junk_reason, url_remedy
from darkroom.sources.reading import LINK
from darkroom.sources.source import Ignored, Location

# `bytes` is -1 where a file is not there, as behind a broken link, or is none that can be read. The other columns are what
# changes when a file does: a user can't set the time of status back, so an edit that restores the other times is noticed.
WALKED = pa.schema(
    [("path", pa.string()), *((name, pa.int64()) for name in ("bytes", "inode", "mtime_ns", "ctime_ns"))]
)


@dataclass(frozen=True)
class Walked:
    """What is below a folder.

    Attributes:
        files: the columns of `WALKED`, sorted by path.
        folders: in no order, relative, with `/`.
        others: what is no file, and files whose names are not in UTF-8.
        digest: of all of it.
        looked_at: when the look began, nanoseconds.
        mark: of the folder itself, as the look began.
    """

    files: pa.Table
    folders: list[str]
    others: list[Ignored]
    digest: str
    looked_at: int
    mark: str | None


@dataclass(frozen=True)
class FolderColumns(ImageColumns):
    """The listing of a folder.

    Attributes:
        files: of the images, the columns of `WALKED`.
    """

    files: pa.Table

    def images(self, start: int, end: int) -> pa.Table:
        """Images `start` to `end`: the attributes of `SourceImage`, as columns."""
        return self.as_images(start, end, self.files["path"].slice(start, end - start))

    def hashed_mark(self, start: int, end: int, hashes: pa.ChunkedArray) -> str:
        """What changes when any of these images does, or its hash: SHA-256 of each, null where it has none."""
        files = self.files.slice(start, end - start)
        digest = hashlib.sha256(self.names_mark(start, end) + files["bytes"].to_numpy().tobytes())
        update_with_text(digest, files["path"])
        update_with_text(digest, hashes)
        return digest.hexdigest()


def walk_files(root: Path) -> Walked:
    """Look at every file below a folder, without an object for each that outlives the look into its folder.

    Raises:
        DarkroomError: when a folder can't be listed.
    """
    looked_at, mark = time.time_ns(), status_mark(root)
    pieces, folders, others = [WALKED.empty_table()], list[str](), list[Ignored]()
    digest = hashlib.blake2b(digest_size=16)
    waiting: list[str | pa.Table] = [""]
    while waiting:
        here = waiting.pop()
        if isinstance(here, pa.Table):
            pieces.append(here)
            continue
        files, below = _look_into(root, here, others)
        for column in files.columns:
            for buffer in column.chunk(0).buffers():
                digest.update(buffer or b"")
        folders += (folder.rstrip("/") for folder in below)
        waiting += reversed(_in_order(files, sorted(below)))
    digest.update(repr((sorted(folders), sorted(others))).encode("utf-8", "surrogateescape"))
    return Walked(pa.concat_tables(pieces), folders, others, digest.hexdigest(), looked_at, mark)


def _look_into(root: Path, prefix: str, others: list[Ignored]) -> tuple[pa.Table, list[str]]:
    """The files of one folder, sorted, and the folders in it, with a `/` at their ends."""
    names, below, values, folder = list[str](), list[str](), array("q"), os.path.join(root, prefix)  # noqa: PTH118
    plain = as_utf8(prefix) == prefix
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # By its handle, so that the kernel does not look up the whole path of each file: a fifth of its time.
            with os.scandir(handle) as entries:
                for entry in entries:
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        below.append(f"{prefix}{name}/")
                    elif not entry.is_file(follow_symlinks=False) and (reason := no_file(entry, f"{folder}/{name}")):
                        others.append(Ignored(as_utf8(prefix + name), reason))
                    elif not (name.isascii() and plain) and as_utf8(prefix + name) != prefix + name:
                        others.append(Ignored(as_utf8(prefix + name), junk_reason(prefix.rstrip("/"), name) or ""))
                    else:
                        names.append(name)
                        values.extend(_status(entry))
        finally:
            os.close(handle)
    except OSError as error:
        raise DarkroomError(
            f"the folder {printable(as_utf8(str(root / prefix)))} can't be listed: {error.strerror}; fix its permissions"
        ) from None
    paths = pa.array([prefix + name for name in names], pa.string())
    order = pc.sort_indices(paths)
    found = (
        np.frombuffer(values, np.int64).reshape(-1, len(WALKED) - 1)[order.to_numpy()] if names else np.empty((0, 4))
    )
    columns = [np.ascontiguousarray(column, np.int64) for column in found.T]
    return pa.table([paths.take(order), *columns], schema=WALKED), below


def _status(entry: os.DirEntry[str]) -> tuple[int, int, int, int]:
    """The columns of `WALKED` but the path."""
    try:
        status = entry.stat()
    except OSError:
        return -1, 0, 0, 0
    size = status.st_size if stat.S_ISREG(status.st_mode) else -1
    return size, status.st_ino & (1 << 63) - 1, status.st_mtime_ns, status.st_ctime_ns


def _in_order(files: pa.Table, below: Sequence[str]) -> list[str | pa.Table]:
    """The files of a folder, in pieces, and the folders in it, so that all paths will be in their order."""
    if not below or not len(files):
        return [*below, files]
    paths, found, start = files["path"].to_pylist(), list[str | pa.Table](), 0
    for folder in below:
        end = bisect_left(paths, folder)
        found += [files.slice(start, end - start), folder]
        start = end
    return [*found, files.slice(start)]


def require_folder(root: Path) -> None:
    """Raise a DarkroomError where there is no such folder."""
    if not root.exists():
        raise DarkroomError(
            f"there is no folder {root}: ingest.path must name the folder that contains the images{url_remedy(root)}"
        )
    if not root.is_dir():
        raise DarkroomError(
            f"{root} is a file, not a folder: for an archive or a table set ingest.source to zip, tar or table, or use "
            "make run IMAGES=…"
        )


def list_columns(location: Location, walked: Walked) -> FolderColumns:
    """The listing of a folder of class folders, or of one of train/, val/ and test/ that hold class folders.

    Raises:
        DarkroomError: when it contains fewer than two classes, or names two alike and `location` does not say what they are.
    """
    try:
        rows, found = place_images(walked.files["path"], location, walked.folders, walked.others)
    except DarkroomError as error:
        raise DarkroomError(f"{error}{_about_links(walked.others)}") from None
    files = walked.files if len(rows) == len(walked.files) else walked.files.take(pa.array(rows))
    return FolderColumns(**vars(found), files=files)


def _about_links(others: Sequence[Ignored]) -> str:
    """What to add to a message about class folders that are not there: links to folders may be those that are missed."""
    links = sorted(one.path for one in others if one.reason == LINK)
    if not links:
        return ""
    return (
        f". Links to folders are not followed ({describe_names(links)}): put the folders themselves there, as cp -rL does, or "
        "name the images in a table of paths"
    )


def status_mark(path: Path) -> str | None:
    """What changes when a file, or what is directly in a folder, does; None where it is not there."""
    try:
        return mark_of(path.stat())
    except OSError:
        return None


def mark_of(status: os.stat_result) -> str:
    """What changes when a file does: its length, its inode, and the times of content and of status."""
    return f"{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
