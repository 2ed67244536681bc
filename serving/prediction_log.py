"""The prediction log on disk: parts in JSON lines or Parquet, begun anew by size and time, the oldest removed past a total.

`darkroom.monitoring.prediction_log` reads it. Several services may write to one folder: each has parts of its own, and none
removes those of another that runs.
"""

import importlib.util
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

from darkroom.monitoring.rows import BUNDLES, PARTS, PredictionRow
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import private_opener, whole_file, write_json
from serving.logs import LOG
from serving.metrics import Metrics
from serving.model import LoadedModel
from serving.writers import lock_writer, running_writers, writer_of_lock, writer_of_part

# A part of JSON lines ends after so many bytes or seconds; one of Parquet after so many rows or seconds: it is written whole,
# and a service that is killed loses the rows of its last one.
PART_BYTES, PART_SECONDS = 64 << 20, 3600.0
PARQUET_ROWS, PARQUET_SECONDS = 10_000, 300.0
# Parts that a full log has at least, so that removing the oldest removes little.
PARTS_AT_LEAST = 8
# Seconds after which a part that is still half-written is one of a service that was killed.
ABANDONED = 3600.0
# Seconds between two attempts to write where the disk refused.
PAUSE = 1.0


class PredictionLog:
    """Writes rows, from one thread.

    What the disk refuses is logged once and counted, and no answer waits for it.

    Args:
        folder: of the log; made where it is missing.
        form: of its parts.
        most_bytes: of its parts, and of those that services which run no more have left; the oldest make room.
        metrics: where rows are counted.

    Raises:
        DarkroomError: when the folder can't be written to, or pyarrow is missing for Parquet.
    """

    def __init__(self, folder: Path, form: Literal["jsonl", "parquet"], most_bytes: int, metrics: Metrics) -> None:
        if form == "parquet" and importlib.util.find_spec("pyarrow") is None:
            raise DarkroomError(
                "the prediction log in Parquet needs the package pyarrow: install it, or take --prediction-log-form jsonl"
            )
        self._folder, self._form, self._most_bytes, self._metrics = folder, form, most_bytes, metrics
        self._part_bytes = min(PART_BYTES, most_bytes // PARTS_AT_LEAST)
        self._numbered = 0
        self._file: BinaryIO | None = None
        self._rows: list[PredictionRow] = []
        self._begun, self._size, self._retry = 0.0, 0, 0.0
        self._failing = False
        self._bundles = set[str]()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = lock_writer(folder)
            self._writer = writer_of_lock(Path(self._lock.name))
            for path in folder.glob(f".{PARTS}.partial"):
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise DarkroomError(
                f"the prediction log {folder} can't be written: {error.strerror}; give --prediction-log another folder"
            ) from None

    def write(self, rows: Sequence[PredictionRow], model: LoadedModel) -> None:
        """Append rows of one model."""
        if self._failing and time.monotonic() < self._retry:
            self._metrics.log_rows("dropped", len(rows))
            return
        waiting = len(self._rows)
        try:
            self._describe(model)
            written = self._append_lines(rows) if self._form == "jsonl" else self._append_table(rows)
        except OSError as error:
            self._give_up(error, waiting + len(rows))
            return
        if self._failing and written:
            self._failing = False
            LOG.info("the prediction log %s is written again", self._folder)
        self._metrics.log_rows("written", written)

    def tick(self) -> None:
        """End a part whose time is over."""
        seconds = PART_SECONDS if self._form == "jsonl" else PARQUET_SECONDS
        if (self._file or self._rows) and time.monotonic() - self._begun > seconds:
            self.close()

    def close(self) -> None:
        """End the part that is being written; the next row begins another."""
        try:
            if self._rows:
                count = len(self._rows)
                self._write_table()
                self._metrics.log_rows("written", count)
            if self._file:
                self._file.close()
                self._file = None
        except OSError as error:
            self._give_up(error, len(self._rows))

    def _append_lines(self, rows: Sequence[PredictionRow]) -> int:
        data = b"".join(row.to_json() for row in rows)
        if self._file and self._size + len(data) > self._part_bytes:
            self.close()
        if self._file is None:
            self._make_room()
            self._file = self._begin()
        self._size += len(data)
        while data:
            data = data[self._file.write(data) :]
        return len(rows)

    def _append_table(self, rows: Sequence[PredictionRow]) -> int:
        self._rows += rows
        self._begun = self._begun if len(self._rows) > len(rows) else time.monotonic()
        if len(self._rows) < PARQUET_ROWS:
            return 0
        count = len(self._rows)
        self._write_table()
        return count

    def _write_table(self) -> None:
        import pyarrow.parquet as pq

        from darkroom.monitoring.prediction_log import to_table

        self._make_room()
        with whole_file(self._next_path()) as path, open(path, "wb", opener=private_opener) as file:
            pq.write_table(to_table(self._rows), file, compression="zstd")
        self._rows = []

    def _begin(self) -> BinaryIO:
        self._begun, self._size = time.monotonic(), 0
        # Unbuffered: each write is one of the system's, and what was written is there after a kill.
        return open(self._next_path(), "xb", buffering=0, opener=private_opener)

    def _next_path(self) -> Path:
        """Names in order of time; two services never have the same."""
        self._numbered += 1
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        return self._folder / f"predictions-{stamp}-{self._writer}-{self._numbered}.{self._form}"

    def _describe(self, model: LoadedModel) -> None:
        """Write once what rows of a bundle need to be read: `bundles/<hash>.json`."""
        if model.hash in self._bundles:
            return
        path = self._folder / BUNDLES / f"{model.hash}.json"
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            bundle = model.bundle
            content = {"classes": list(bundle.classes.names), "threshold": bundle.calibration.threshold}
            with whole_file(path) as partial:
                write_json(partial, content | {"data_version": bundle.data_version, "graph": bundle.graph})
        self._bundles.add(model.hash)

    def _make_room(self) -> None:
        """Remove the oldest parts, until another fits."""
        others = running_writers(self._folder, self._writer)
        parts = sorted(path for path in self._folder.glob(PARTS) if path != self._path_of_file())
        parts = [path for path in parts if writer_of_part(path) not in others]
        sizes = {}
        for path in parts:
            with suppress(FileNotFoundError):  # another service, or a person, removed it
                sizes[path] = path.stat().st_size
        total = sum(sizes.values())
        for path, size in sizes.items():
            if total + self._part_bytes <= self._most_bytes:
                break
            rows = _rows_of(path)
            path.unlink(missing_ok=True)
            self._metrics.log_rows("removed", rows)
            total -= size

    def _path_of_file(self) -> Path | None:
        return Path(self._file.name) if self._file else None

    def _give_up(self, error: OSError, rows: int) -> None:
        """Leave the part as it is: a half line at its end is no row. The next rows begin another."""
        with suppress(OSError):
            if self._file:
                self._file.close()
        self._file, self._rows = None, []
        self._retry = time.monotonic() + PAUSE
        self._metrics.log_rows("dropped", rows)
        if not self._failing:
            self._failing = True
            LOG.warning(
                "the prediction log %s can't be written: %s; rows are dropped until it can be",
                self._folder,
                error.strerror,
            )


def _rows_of(path: Path) -> int:
    """Rows of a part that is about to be removed; 0 where it is damaged."""
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            return int(pq.read_metadata(path).num_rows)
        with path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    except (OSError, ImportError, ValueError):  # pyarrow's errors are values or of the system
        return 0
