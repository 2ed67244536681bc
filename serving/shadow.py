"""A candidate beside the model: it predicts a sample of the images after their answers have left, and nobody waits for it."""

import csv
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from darkroom.compare.pairs import COLUMNS
from darkroom.images.decode import UnreadableImage
from darkroom.predict.answers import Prediction, predict_pixels
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import csv_cell
from serving.logs import LOG
from serving.metrics import Metrics
from serving.model import LoadedModel, open_model
from serving.priority import give_way

# Bytes of image files that wait for the candidate; further ones are left out.
MOST_HELD = 32 << 20
# Rows of a table: the agreement is known to 0.3 points by then, and the file has some 20 MB.
MOST_ROWS = 100_000

# Waits until there is room to decode an image file.
Room = Callable[[bytes], AbstractContextManager[object]]


@dataclass(frozen=True)
class _Item:
    """An answer that waits for that of the candidate."""

    data: bytes
    sha256: str
    prediction: Prediction
    model: LoadedModel
    seconds: float


class Shadow:
    """One thread of the lowest priority that predicts with the candidate, and writes both predictions side by side.

    Args:
        folder: of the candidate's bundle.
        fraction: of the images; an image is always in the sample or never.
        out: folder for the tables, one for each pair of models.
        metrics: count agreement.
        room: as `serving.decoding.DecodingLimit.decoding`.

    Raises:
        DarkroomError: when the bundle can't be opened, or the folder can't be written to.
    """

    def __init__(self, folder: Path, fraction: float, out: Path, metrics: Metrics, room: Room) -> None:
        self.model = open_model(folder, batch=1)
        self._fraction, self._out, self._metrics, self._room = fraction, out, metrics, room
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DarkroomError(
                f"--candidate-pairs {out} can't be made: {error.strerror}; give a folder that can be written to"
            ) from None
        self._queue, self._held, self._closed = deque[_Item](), 0, False
        self._change = threading.Condition()
        self._table: Table | None = None
        self._thread = threading.Thread(target=self._work, name="candidate", daemon=True)
        self._thread.start()

    def consider(self, data: bytes, sha256: str, prediction: Prediction, model: LoadedModel, seconds: float) -> None:
        """Take an answer, if it is in the sample and there is room; returns at once.

        Args:
            data: the bytes of the file.
            sha256: of them, in hex; decides whether it is in the sample.
            prediction: of the model.
            model: that answered.
            seconds: of a processor that the graph took for it.
        """
        if int(sha256[:8], 16) >= self._fraction * 2**32:
            return
        with self._change:
            if self._held + len(data) <= MOST_HELD and not self._closed:
                self._held += len(data)
                self._queue.append(_Item(data, sha256, prediction, model, seconds))
                self._change.notify()

    def close(self) -> None:
        """End after the image in work; those that wait are left out."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _work(self) -> None:
        give_way()
        while item := self._take():
            try:
                self._pair(item)
            except (UnreadableImage, DarkroomError, MemoryError) as error:
                LOG.warning("the candidate has no prediction for %s: %s", item.sha256[:12], error)
            except Exception:  # the edge of the thread: one image must not end the comparison
                LOG.exception("the candidate failed over %s", item.sha256[:12])
        if self._table:
            self._table.close()

    def _take(self) -> _Item | None:
        with self._change:
            self._change.wait_for(lambda: self._queue or self._closed)
            if self._closed:
                return None
            item = self._queue.popleft()
            self._held -= len(item.data)
            return item

    def _pair(self, item: _Item) -> None:
        bundle = self.model.bundle
        with self._room(item.data):
            pixels = bundle.pixels(item.data)
        # Of the processor, not the clock: this thread is last in the queue for one.
        start = time.thread_time()
        (found,) = predict_pixels(bundle, [""], [pixels])
        seconds = time.thread_time() - start
        self._metrics.candidate(found.label == item.prediction.label)
        if self._table is None or self._table.model != item.model.hash:
            if self._table:
                self._table.close()
            self._table = Table(self._out, item.model.hash, self.model.hash)
        self._table.write(item.sha256, item.prediction, item.seconds, found, seconds)


class Table:
    """A CSV of pairs, which `python -m darkroom.compare` reads; rows are added to one that is there.

    Args:
        folder: for the file.
        model, candidate: hashes of both bundles.
    """

    def __init__(self, folder: Path, model: str, candidate: str) -> None:
        self.model = model
        self._path = folder / f"{model[:12]}-{candidate[:12]}.csv"
        self._file: TextIO | None = None
        try:
            self._rows = len(self._path.read_bytes().splitlines()) if self._path.exists() else 0
            self._file = self._path.open("a", encoding="utf-8", newline="")
            if not self._rows:
                csv.writer(self._file).writerow(COLUMNS)
                self._rows = 1
        except OSError as error:
            self._give_up(error)

    def write(self, sha256: str, ours: Prediction, seconds: float, theirs: Prediction, their_seconds: float) -> None:
        """Add a row; where the disk takes no more, that is logged once, and further rows are left out."""
        if self._file is None or self._rows > MOST_ROWS:
            return
        time_now = datetime.now(UTC).isoformat(timespec="seconds")
        sides = [
            [csv_cell(each.label), f"{each.confidence:.7f}", int(each.abstains), f"{cost:.6f}"]
            for each, cost in ((ours, seconds), (theirs, their_seconds))
        ]
        try:
            csv.writer(self._file).writerow([time_now, sha256, *sides[0], *sides[1]])
            self._file.flush()
        except OSError as error:
            self._give_up(error)
        self._rows += 1

    def close(self) -> None:
        """End the file."""
        if self._file:
            self._file.close()

    def _give_up(self, error: OSError) -> None:
        LOG.error("%s takes no more rows, and the service goes on without: %s", self._path, error.strerror)
        self._file = None
