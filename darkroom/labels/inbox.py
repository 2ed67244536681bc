"""The inbox: images with the class that a person says they have. `ingest` takes them beside the source.

`images/<class>/<sha256>.<format>` are class folders, and `table.csv` is a table source of the same images. `label_fixes.csv`
has who decided and why, in the form of `data/label_fixes.csv`. The service's corrections and the label queue write to it.
"""

import csv
import fcntl
import io
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener, whole_file
from darkroom.runtime.text import csv_cell, csv_value

IMAGES, TABLE, FIXES = "images", "table.csv", "label_fixes.csv"
TABLE_COLUMNS = ("path", "label")
FIX_COLUMNS = ("image", "action", "new_label", "reviewer", "reason")
SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff", "PPM": "ppm",
            "JPEG2000": "jp2", "AVIF": "avif", "HEIF": "heic"}  # fmt: skip
# Names of classes that a folder can have as they are, on every system.
FOLDER = re.compile(r"[^\W_.][^/\\:*?\"<>|\x00-\x1f\x7f]{0,59}(?<![ .])")


@dataclass(frozen=True)
class Correction:
    """What a person says of an image.

    Attributes:
        label: the class that it has.
        reviewer, reason: who says so, and why.
    """

    label: str
    reviewer: str
    reason: str


class InboxFull(Exception):
    """The inbox holds as much as it may; the message has both numbers."""


class Inbox:
    """Takes corrections; one at a time, whole or not at all. Several services may have the same folder.

    Args:
        folder: made where it is missing; what is there already stays.
        most_images, most_bytes: that it may hold; None for any number.

    Raises:
        DarkroomError: when the folder can't be written to, or its tables are damaged.
    """

    def __init__(self, folder: Path, most_images: int | None = None, most_bytes: int | None = None) -> None:
        self._folder, self._most_images, self._most_bytes = folder, most_images, most_bytes
        self._lock = threading.Lock()
        # Path of an image → its correction.
        self._corrections: dict[str, Correction] = {}
        self._bytes = 0
        try:
            with self._locked():
                self._write_tables()
        except OSError as error:
            raise DarkroomError(
                f"the inbox {folder} can't be written: {error.strerror}; give another folder, or fix its permissions"
            ) from None

    def add(self, data: bytes, sha256: str, suffix: str, correction: Correction) -> str:
        """Store an image with its class. A later correction of the same image replaces the earlier one.

        Args:
            data: the bytes of its file, which `ingest` would take.
            sha256: of them, in hex.
            suffix: of its format, as in `SUFFIXES`.
            correction: its class, and who says so.

        Returns:
            Its path in the inbox.

        Raises:
            InboxFull: when it does not fit.
            OSError: when the disk refuses.
            DarkroomError: when a table was damaged meanwhile.
        """
        with self._locked():
            before = [path for path in self._corrections if Path(path).stem == sha256]
            held = sum((self._folder / path).stat().st_size for path in before if (self._folder / path).exists())
            self._require_room(len(data) - held, 1 - len(before))
            path = f"{IMAGES}/{self._class_folder(correction.label)}/{sha256}.{suffix}"
            target = self._folder / path
            target.parent.mkdir(mode=0o700, exist_ok=True)
            with whole_file(target) as partial, open(partial, "wb", opener=private_opener) as file:
                file.write(data)
            self._corrections = {at: each for at, each in self._corrections.items() if at not in before} | {
                path: correction
            }
            self._write_tables()
            for earlier in before:
                if earlier != path:
                    (self._folder / earlier).unlink(missing_ok=True)
        return path

    def remove(self, sha256: str) -> None:
        """Take an image back out; nothing where there is none with this hash.

        Raises:
            OSError: when the disk refuses.
            DarkroomError: when a table was damaged meanwhile.
        """
        with self._locked():
            gone = [path for path in self._corrections if Path(path).stem == sha256]
            for path in gone:
                del self._corrections[path]
            self._write_tables()
            for path in gone:
                (self._folder / path).unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The inbox as it is now, for this service alone: another may have added to it, or somebody moved it away."""
        images = self._folder / IMAGES
        images.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock, open(self._folder / ".lock", "ab", opener=private_opener) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._corrections = read_inbox(self._folder)
            self._bytes = sum(path.stat().st_size for path in images.rglob("*") if path.is_file())
            yield

    def _require_room(self, more_bytes: int, more_images: int) -> None:
        if more_images > 0 and self._most_images is not None and len(self._corrections) >= self._most_images:
            raise InboxFull(f"the inbox has {len(self._corrections):,} images, and {self._most_images:,} is its limit")
        if self._most_bytes is not None and self._bytes + more_bytes > self._most_bytes:
            raise InboxFull(
                f"the inbox has {self._bytes:,} bytes, and {self._most_bytes:,} is its limit: there is no room for "
                f"{more_bytes:,} more"
            )

    def _class_folder(self, label: str) -> str:
        """The folder of a class: its name; where no folder can have that, one that no class is named, for the table alone."""
        if FOLDER.fullmatch(label):
            return label
        return "_" + re.sub(r"\W", "_", label)[:40] + f"_{len(label)}"

    def _write_tables(self) -> None:
        ordered = sorted(self._corrections.items())
        # The class as it is: ingest reads it so, and it is one of the model's own, not a client's text.
        self._write(TABLE, TABLE_COLUMNS, ([path, each.label] for path, each in ordered))
        # `keep`: a reviewer has looked, and the label that the table has is correct.
        fixes = ([path, "keep", "", csv_cell(each.reviewer), csv_cell(each.reason)] for path, each in ordered)
        self._write(FIXES, FIX_COLUMNS, fixes)

    def _write(self, name: str, columns: tuple[str, ...], rows: Iterable[list[str]]) -> None:
        with whole_file(self._folder / name) as partial, open(partial, "wb", opener=private_opener) as file:
            for row in (columns, *rows):
                line = io.StringIO()
                # With both characters as its end of a line, the module quotes a name that has either of them.
                csv.writer(line, lineterminator="\r\n").writerow(row)
                file.write(line.getvalue().removesuffix("\r\n").encode() + b"\n")


def read_inbox(folder: Path) -> dict[str, Correction]:
    """Path of an image in the inbox → its correction; images that somebody moved away are left out.

    Raises:
        DarkroomError: when a table is damaged.
    """
    fixes = {row[0]: row for row in _rows(folder / FIXES, FIX_COLUMNS)}
    found = {}
    for path, label in _rows(folder / TABLE, TABLE_COLUMNS):
        if (folder / path).is_file():
            row = fixes.get(path, [""] * len(FIX_COLUMNS))
            found[path] = Correction(label, csv_value(row[3]), csv_value(row[4]))
    return found


def _rows(path: Path, columns: tuple[str, ...]) -> list[list[str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or tuple(rows[0]) != columns or any(len(row) != len(columns) for row in rows):
        raise DarkroomError(f"{path} is no table of this inbox: give another folder, or repair it")
    return rows[1:]
