"""What is done about an answer after it has left: its image is measured, its row logged, its bytes held for a correction.

One thread at the lowest priority, behind a queue of bounded size: no answer waits for it. When images come faster than they
can be measured, some rows go without; when rows come faster than they can be written, some are dropped and counted.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from darkroom.images.decode import UnreadableImage
from darkroom.model.spec import Preprocessing
from darkroom.monitoring.log_writer import PredictionLog
from darkroom.monitoring.properties import properties
from darkroom.monitoring.rows import PredictionRow
from darkroom.predict.answers import Prediction
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.text import count
from serving.features import Features
from serving.logs import LOG
from serving.metrics import Metrics
from serving.model import LoadedModel
from serving.priority import give_way
from serving.request_id import request_id, session

# Bytes of image files that wait to be measured, and of rows that wait to be written, at about so many for each class.
MOST_HELD, CLASS_BYTES = 32 << 20, 64
# Rows that are written at once, at most; those of a service that is killed are lost.
ROWS = 64
# Without a log, images are measured for the metrics alone: one in so many seconds at most, and none waits.
SAMPLE_SECONDS = 0.05
# Seconds between two looks at the time when nothing comes.
TICK = 1.0
# Seconds after the end of the service in which images that wait are still measured.
LAST_SECONDS = 2.0

# Waits until there is room to decode an image file.
Room = Callable[[bytes], AbstractContextManager[object]]


@dataclass(frozen=True)
class _Item:
    """An answer that waits.

    Attributes:
        row: without what is measured later.
        model: that answered.
        data: the bytes of its file; None where only pixels came, or too many wait.
        pixels: as the model saw them; None where nobody asks for features, or too many wait.
    """

    row: PredictionRow
    model: LoadedModel
    data: bytes | None
    pixels: UInt8s | None

    @property
    def row_bytes(self) -> int:
        """Bytes of the row in the queue, about."""
        return CLASS_BYTES * (len(self.row.probabilities) + 8)

    @property
    def image_bytes(self) -> int:
        """Bytes of the image in the queue."""
        return len(self.data or b"") + (self.pixels.nbytes if self.pixels is not None else 0)


class Recorder:
    """Measures, counts and logs answers in a thread of its own.

    Args:
        metrics: where properties of images are counted.
        log: where rows go; None keeps none.
        features: write those of each image, too.
        room: as `serving.decoding.DecodingLimit.decoding`.
    """

    def __init__(self, metrics: Metrics, log: PredictionLog | None, features: bool, room: Room) -> None:
        self._metrics, self._log, self._room = metrics, log, room
        self._features = Features() if features else None
        self._queue = deque[_Item]()
        self._change = threading.Condition()
        self._held_rows = self._held_images = 0
        self._next_sample = 0.0
        self._closed = False
        self._last = 0.0
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    def record(self, prediction: Prediction, model: LoadedModel, sha256: str, data: bytes | None) -> None:
        """Take an answer; returns at once.

        Args:
            prediction: the answer.
            model: that gave it.
            sha256: of the image.
            data: the bytes of its file; None where only pixels came.
        """
        if self._log is None and (data is None or time.monotonic() < self._next_sample):
            return
        self._next_sample = time.monotonic() + SAMPLE_SECONDS
        row = PredictionRow(
            time=datetime.now(UTC),
            request=request_id.get(),
            bundle=model.hash,
            sha256=sha256,
            session=session.get(),
            label=prediction.label,
            confidence=prediction.confidence,
            abstained=prediction.abstains,
            probabilities=list(prediction.probabilities.values()),
            properties=None,
            features=None,
        )
        item = _Item(row, model, data, prediction.pixels if self._features else None)
        with self._change:
            if self._held_rows + item.row_bytes > MOST_HELD:
                self._metrics.log_rows("dropped", 1)
                return
            if self._held_images + item.image_bytes > MOST_HELD:
                item = _Item(row, model, None, None)
            self._held_rows += item.row_bytes
            self._held_images += item.image_bytes
            self._queue.append(item)
            self._change.notify()

    def close(self) -> None:
        """Write what waits, and end."""
        with self._change:
            self._closed, self._last = True, time.monotonic() + LAST_SECONDS
            self._change.notify()
        self._thread.join()

    def _work(self) -> None:
        give_way()
        while True:
            try:
                batch = self._take()
                if not batch and self._closed:
                    break
                self._handle(batch)
            except Exception:
                # The named edge of this thread: a fault over one image must not end the log of all others.
                LOG.exception("%s failed", count(len(batch), "row of the prediction log", "rows of the prediction log"))
                self._metrics.log_rows("dropped", len(batch))
        if self._log:
            self._log.close()

    def _take(self) -> list[_Item]:
        """What waits, for one model; nothing after a while in which nothing came."""
        with self._change:
            if not self._queue and not self._closed:
                self._change.wait(TICK)
            batch: list[_Item] = []
            while self._queue and len(batch) < ROWS and self._queue[0].model is (batch or self._queue)[0].model:
                item = self._queue.popleft()
                self._held_rows -= item.row_bytes
                self._held_images -= item.image_bytes
                batch.append(item)
            return batch

    def _handle(self, batch: list[_Item]) -> None:
        if not batch:
            if self._log:
                self._log.tick()
            return
        model = batch[0].model
        rows = []
        for item in batch:
            late = self._closed and time.monotonic() > self._last
            measured = None if late or item.data is None else self._measure(item.data, model.bundle.preprocessing)
            for name, value in (measured or {}).items():
                self._metrics.measured(name, value)
            features = None
            if self._features and item.pixels is not None and not late:
                features = self._features.of(model, item.pixels)
            rows.append(replace(item.row, properties=measured, features=features))
        if self._log:
            self._log.write(rows, model.bundle, model.hash)

    def _measure(self, data: bytes, preprocessing: Preprocessing) -> dict[str, float] | None:
        try:
            with self._room(data):
                return properties(data, preprocessing)
        except (UnreadableImage, MemoryError):
            # The answer's own decoding did not fail; this one, reduced otherwise, may where memory is short.
            return None
