"""The prediction log on disk: parts by day, begun anew by rows, time and size, the oldest removed past a total.

A part is JSON lines while it is written, so that each row is there after a kill, and Parquet once it has ended, where pyarrow
is installed: a fifth of the bytes. `darkroom.monitoring.prediction_log` reads both. Several services may write to one folder:
each has parts of its own, and none removes those of another that runs.
"""

import importlib.util
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

from darkroom.bundle.bundle import Bundle
from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.rows import BUNDLES, PARTS, PredictionRow
from darkroom.monitoring.writers import lock_writer, running_writers, writer_of_lock, writer_of_part
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener, whole_file, write_json

LOG = logging.getLogger("darkroom.monitoring")

# A part ends after so many rows, seconds or bytes, and with its day.
PART_ROWS, PART_SECONDS, PART_BYTES = 10_000, 3600.0, 16 << 20
# Parts that a full log has at least, so that removing the oldest removes little.
PARTS_AT_LEAST = 8
# Seconds after which a part that is still half-written is one of a service that was killed.
ABANDONED = 3600.0
# Seconds between two attempts to write where the disk refused.
PAUSE = 1.0

Counted = Callable[[Literal["written", "dropped", "removed"], int], None]


class PredictionLog:
    """Writes rows, from one thread.

    What the disk refuses is logged once and counted, and no answer waits for it.

    Args:
        folder: of the log; made where it is missing.
        most_bytes: of its parts, and of those that services which run no more have left; the oldest make room.
        count: told how many rows were written, dropped because the disk refuses them, and removed with the oldest part.
        part_seconds: after which a part ends.
        ended: told of each part that has ended.

    Attributes:
        writer: the name of this writer, which its parts have.

    Raises:
        DarkroomError: when the folder can't be written to.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        count: Counted,
        part_seconds: float = PART_SECONDS,
        ended: Callable[[Path], None] = lambda path: None,
    ) -> None:
        self._folder, self._most_bytes, self._count = folder, most_bytes, count
        self._part_seconds, self._ended = part_seconds, ended
        self._part_bytes = min(PART_BYTES, most_bytes // PARTS_AT_LEAST)
        self._numbered = 0
        self._file: BinaryIO | None = None
        self._begun, self._size, self._rows, self._retry = 0.0, 0, 0, 0.0
        self._day = ""
        self._failing = False
        self._bundles = set[str]()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._key = LogKey(folder)
            self._lock = lock_writer(folder)
            self.writer = writer_of_lock(Path(self._lock.name))
            for path in folder.glob("*/.*.partial"):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise DarkroomError(
                f"the prediction log {folder} can't be written: {error.strerror}; give another folder"
            ) from None

    def write(self, rows: Sequence[PredictionRow], bundle: Bundle, bundle_hash: str) -> None:
        """Append rows of one bundle.

        Args:
            rows: as `PredictionRow`.
            bundle: that gave their answers.
            bundle_hash: as the rows have it.
        """
        if self._failing and time.monotonic() < self._retry:
            self._count("dropped", len(rows))
            return
        try:
            self._describe(bundle, bundle_hash)
            self._append(rows)
        except OSError as error:
            self._give_up(error, len(rows))
            return
        if self._failing:
            self._failing = False
            LOG.info("the prediction log %s is written again", self._folder)
        self._count("written", len(rows))

    def tick(self) -> None:
        """End a part whose time or day is over."""
        if self._file and (time.monotonic() - self._begun > self._part_seconds or self._day != _today()):
            self.close()

    def close(self) -> None:
        """End the part that is being written; the next row begins another."""
        if self._file is None:
            return
        path = Path(self._file.name)
        self._file.close()
        self._file = None
        try:
            path = _pack(path)
        except OSError as error:
            # The rows are there as they were.
            LOG.warning("%s stays JSON lines: its Parquet can't be written: %s", path, error.strerror or error)
        self._ended(path)

    def _append(self, rows: Sequence[PredictionRow]) -> None:
        data = b"".join(row.to_json(self._key) for row in rows)
        if self._size + len(data) > self._part_bytes or self._rows + len(rows) > PART_ROWS:
            self.close()
        self.tick()
        if self._file is None:
            self._make_room()
            self._file = self._begin()
        self._size, self._rows = self._size + len(data), self._rows + len(rows)
        while data:
            data = data[self._file.write(data) :]

    def _begin(self) -> BinaryIO:
        """The next part. Names are in order of time; two services never have the same."""
        self._begun, self._size, self._rows, self._day = time.monotonic(), 0, 0, _today()
        self._numbered += 1
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        path = self._folder / self._day / f"predictions-{stamp}-{self.writer}-{self._numbered}.jsonl"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # Unbuffered: each write is one of the system's, and what was written is there after a kill.
        return open(path, "xb", buffering=0, opener=private_opener)

    def _describe(self, bundle: Bundle, bundle_hash: str) -> None:
        """Write once what rows of a bundle need to be read: `bundles/<hash>.json`."""
        if bundle_hash in self._bundles:
            return
        path = self._folder / BUNDLES / f"{bundle_hash}.json"
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            content = {"classes": list(bundle.classes.names), "threshold": bundle.calibration.threshold}
            with whole_file(path) as partial:
                write_json(partial, content | {"data_version": bundle.data_version, "graph": bundle.graph})
        self._bundles.add(bundle_hash)

    def _make_room(self) -> None:
        """Pack the parts that killed services left, and remove the oldest of all, until another fits."""
        others = running_writers(self._folder, self.writer)
        parts = [path for path in self._folder.glob(PARTS) if writer_of_part(path) not in others]
        sizes = {}
        for path in sorted(parts, key=lambda path: path.name):
            with suppress(FileNotFoundError):  # another service, or a person, removed it
                packed = _pack(path) if path.suffix == ".jsonl" else path
                sizes[packed] = packed.stat().st_size
        total = sum(sizes.values())
        for path, size in sizes.items():
            if total + self._part_bytes <= self._most_bytes:
                break
            rows = _rows_of(path)
            path.unlink(missing_ok=True)
            with suppress(OSError):  # other parts of its day
                path.parent.rmdir()
            self._count("removed", rows)
            total -= size

    def _give_up(self, error: OSError, rows: int) -> None:
        """Leave the part as it is: a half line at its end is no row. The next rows begin another."""
        with suppress(OSError):
            if self._file:
                self._file.close()
        self._file = None
        self._retry = time.monotonic() + PAUSE
        self._count("dropped", rows)
        if not self._failing:
            self._failing = True
            LOG.warning(
                "the prediction log %s can't be written: %s; rows are dropped until it can be",
                self._folder,
                error.strerror,
            )


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def _pack(path: Path) -> Path:
    """A part of JSON lines as Parquet in its place, where pyarrow is installed; the path of what is there then."""
    if importlib.util.find_spec("pyarrow") is None:
        return path
    from darkroom.monitoring.prediction_log import pack_part

    try:
        return pack_part(path)
    except DarkroomError as error:  # damaged: whoever reads the log is told
        LOG.warning("%s", error)
        return path


def _rows_of(path: Path) -> int:
    """Rows of a part that is about to be removed; 0 where it is damaged."""
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            return int(pq.read_metadata(path).num_rows)
        with path.open("rb") as file:
            return sum(not line.isspace() for line in file if line.endswith(b"\n"))
    except (OSError, ImportError, ValueError):  # pyarrow's errors are values or of the system
        return 0
