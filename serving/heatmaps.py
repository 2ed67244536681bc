"""Heat maps: some fifty predictions an image, made when no answer needs a core, and few at a time."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from darkroom.bundle.bundle import Bundle
from darkroom.predict.answers import Prediction
from darkroom.predict.output import heatmap_png
from darkroom.runtime.arrays import Float32s, UInt8s
from serving.priority import give_way

# Coverings that the graph gets at once: at 224 pixels all 65 would take hundreds of megabytes.
AT_ONCE = 8


class Heatmaps:
    """One thread of the lowest priority that makes them, one after the other.

    Attributes:
        waiting: images that wait for one, or whose one is being made.
        seconds: that the last one took.
    """

    # Of images; each takes as long as some fifty predictions.
    MOST_WAITING = 16

    def __init__(self) -> None:
        self.waiting, self.seconds = 0, 1.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="heatmaps", initializer=give_way)

    @property
    def retry_after(self) -> int:
        """Seconds until those that wait now are made; at least 1."""
        return max(1, round(self.waiting * self.seconds))

    async def make(self, bundle: Bundle, prediction: Prediction) -> bytes:
        """A PNG of which regions the predicted class depends on; given up when it is cancelled before its turn."""
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._make, bundle, prediction)
        finally:
            self.waiting -= 1

    def close(self) -> None:
        """Make what waits, and end the thread."""
        self._thread.shutdown()

    def _make(self, bundle: Bundle, prediction: Prediction) -> bytes:
        def predict(images: UInt8s) -> Float32s:
            parts = [bundle.predict(images[start : start + AT_ONCE]) for start in range(0, len(images), AT_ONCE)]
            return np.concatenate(parts)

        start = time.monotonic()
        png = heatmap_png(bundle, prediction, predict)
        self.seconds = time.monotonic() - start
        return png
