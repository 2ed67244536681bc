"""The one function that every route asks: from the bytes of image files to answers."""

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from darkroom.monitoring.log_writer import PredictionLog
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.cores import usable_cores
from serving.answers import Answer, Refused
from serving.decoding import Decoded, DecodingLimit, TooManyPixels, UnreadableImage, Upload, decode_upload, is_quick
from serving.engine import Engine, Ran
from serving.heatmaps import Heatmaps
from serving.inbox import Corrections, Recent
from serving.logs import asked
from serving.metrics import Metrics
from serving.model import LoadedModel, engine_threads, open_model
from serving.rate import Rate
from serving.recorder import Recorder
from serving.reload import Reloader, bundle_state
from serving.samples import Samples
from serving.shadow import Shadow
from serving.tracing import trace_stages
from serving.turns import Turns

__all__ = ["Answer", "LoadedModel", "Refused", "Service", "Upload"]


class Service:
    """Answers with one model after the other.

    Args:
        folder: of the bundle, or a link to it.
        threads: images that are decoded and predicted at the same time; 0 takes the cores that this process may use, by its
            affinity and its cgroup's quota, and one for a graph that is quicker than the work around it.
        batch: images that the graph gets at once, at most; 0 measures what is fastest.
        queue: images that may wait; more are refused.
        deadline: seconds after which an image is refused.
        max_pixels: of an image.
        decoding_memory: bytes for all images that are being decoded.

    Attributes:
        model: that answers now.
        draining: whether it is about to end, and balancers should send nothing more.
        queue: images that may wait.
        metrics: all that it counts.
        engine: the queue and its threads.
        shadow: the candidate beside the model; None where there is none.
        recorder: what is done about answers after they have left; None does nothing.
        samples: where a sample of the images is kept; None keeps none.
        inbox: where corrections go; None takes none.
        recent: images that were answered last, where corrections are taken.

    Raises:
        DarkroomError: when the bundle can't be opened.
    """

    def __init__(
        self,
        folder: Path,
        *,
        threads: int = 0,
        batch: int = 0,
        queue: int = 256,
        deadline: float = 30.0,
        max_pixels: int = 50_000_000,
        decoding_memory: int = 450_000_000,
    ) -> None:
        state = bundle_state(folder)
        self.model = open_model(folder, batch)
        self.draining = False
        self.metrics = Metrics()
        self.metrics.watch_waiting(lambda: self.waiting)
        self._take(self.model)
        self.engine = Engine(threads or engine_threads(self.model.bundle), self.metrics)
        self._heatmaps = Heatmaps()
        self._reloader = Reloader(folder, batch, self.model, state, self._take, self.metrics)
        self._pool = ThreadPoolExecutor(threads or usable_cores(), thread_name_prefix="decode")
        self._limit = DecodingLimit(max_pixels, decoding_memory)
        self.recorder: Recorder | None = None
        self.samples: Samples | None = None
        self.shadow: Shadow | None = None
        self.inbox: Corrections | None = None
        self.recent: Recent | None = None
        self.queue, self._deadline = queue, deadline
        self._accepted = 0
        self._turns = Turns()
        self._rate = Rate()

    @property
    def waiting(self) -> int:
        """Images that wait for decoding or for the graph."""
        return max(0, self._accepted - self.engine.running)

    @property
    def ready(self) -> bool:
        """Whether balancers should send requests."""
        return not self.draining

    def retry_after(self) -> int:
        """Seconds until the images that wait now are answered, by the measured rate; at least 1."""
        return self._rate.seconds(self.waiting)

    def start_recorder(self, log: PredictionLog | None, features: bool) -> None:
        """Measure answers after they have left, and log them.

        Args:
            log: where their rows go; None counts a sample for the metrics alone.
            features: write those of each image, too.
        """
        self.recorder = Recorder(self.metrics, log, features, self._limit.decoding)

    def take_corrections(self, folder: Path, images: int, size: int) -> None:
        """Take corrections from now on.

        Args:
            folder: of the inbox.
            images, size: that it may hold; the size in bytes.
        """
        self.inbox, self.recent = Corrections(folder, images, size, self._limit.decoding), Recent()

    def start_candidate(self, folder: Path, fraction: float, pairs: Path) -> None:
        """Let another bundle predict a sample of the images, too; arguments and errors as in `Shadow`."""
        self.shadow = Shadow(folder, fraction, pairs, self.metrics, self._limit.decoding)

    def watch(self) -> None:
        """Take what comes into the folder of the bundle from now on."""
        self._reloader.start()

    def close(self) -> None:
        """Answer what waits, and end the threads."""
        self._reloader.close()
        self._heatmaps.close()
        self._pool.shutdown()
        self.engine.close()
        for each in (self.recorder, self.shadow, self.samples):
            if each:
                each.close()

    def _take(self, model: LoadedModel) -> None:
        """Answer with this model from now on; images that wait for another are still answered by that."""
        self.model = replace(model, since=datetime.now(UTC))
        self.metrics.serving(model.hash, model.bundle.data_version, model.bundle.graph)

    async def predict(self, uploads: Sequence[Upload], explain: bool = False) -> list[Answer | Refused]:
        """One answer for each image, in order; all of one model. When it is cancelled, images that wait are given up.

        Args:
            uploads: image files.
            explain: make heat maps, too.
        """
        model = self.model
        if self.waiting + len(uploads) > self.queue:
            return [self.full(upload.name) for upload in uploads]
        maps = self._heatmaps
        if explain and maps.waiting and maps.waiting + len(uploads) > maps.MOST_WAITING:
            reason = f"{maps.waiting:,} images wait for a heat map, and {maps.MOST_WAITING:,} may"
            return [self._refused(upload.name, 503, reason, maps.retry_after) for upload in uploads]
        self._accepted += len(uploads)
        try:
            if len(uploads) == 1:
                found = [await self._one(uploads[0], model, is_quick(uploads[0].data))]
            else:
                found = list(await asyncio.gather(*(self._one(upload, model, False) for upload in uploads)))
        finally:
            self._accepted -= len(uploads)
        return list(await asyncio.gather(*(self._explained(each) for each in found))) if explain else found

    async def _explained(self, found: Answer | Refused) -> Answer | Refused:
        if isinstance(found, Refused):
            return found
        try:
            async with asyncio.timeout(self._deadline):
                return replace(found, heatmap=await self._heatmaps.make(found.model.bundle, found.prediction))
        except TimeoutError:
            return self._late(found.prediction.path, self._heatmaps.retry_after)

    async def predict_pixels(self, pixels: UInt8s) -> list[Answer | Refused]:
        """One answer for each image uint8 [N, S, S, C], as the graph takes them."""
        model = self.model
        if self.waiting + len(pixels) > self.queue:
            return [self.full("") for _ in pixels]
        decoded = [Decoded(each, hashlib.sha256(each.tobytes()).hexdigest(), None, 0.0) for each in pixels]
        self._accepted += len(pixels)
        try:
            return list(await asyncio.gather(*(self._run("", each, model) for each in decoded)))
        finally:
            self._accepted -= len(pixels)

    async def _one(self, upload: Upload, model: LoadedModel, here: bool) -> Answer | Refused:
        try:
            if here:
                decoded = await self._turns.run(lambda: decode_upload(upload, model.bundle, self._limit))
            else:
                loop = asyncio.get_running_loop()
                decoded = await loop.run_in_executor(self._pool, decode_upload, upload, model.bundle, self._limit)
        except TooManyPixels as error:
            return self._refused(upload.name, 413, str(error))
        except UnreadableImage as error:
            return self._refused(upload.name, 422, str(error))
        return await self._run(upload.name, decoded, model, upload.data)

    async def _run(
        self, name: str, decoded: Decoded, model: LoadedModel, data: bytes | None = None
    ) -> Answer | Refused:
        try:
            ran = await self.engine.run(name, decoded.pixels, model, self._deadline)
        except TimeoutError:
            return self._late(name, self.retry_after())
        self._count(decoded, ran)
        if self.recorder:
            self.recorder.record(ran.prediction, model, decoded.sha256, data)
        if self.shadow and data is not None:
            self.shadow.consider(data, decoded.sha256, ran.prediction, model, ran.cost)
        if self.samples and data is not None:
            self.samples.consider(data, decoded.sha256)
        if self.recent and data is not None:
            self.recent.add(decoded.sha256, data)
        return Answer(
            ran.prediction, model, decoded.sha256, None, decoded.size, decoded.seconds, ran.wait, ran.run, ran.batch
        )

    def _refused(self, name: str, status: int, reason: str, retry_after: int | None = None) -> Refused:
        asked.get().images += 1
        self.metrics.refused(status)
        return Refused(name, status, reason, retry_after)

    def _late(self, name: str, retry_after: int) -> Refused:
        return self._refused(name, 504, f"no answer within {self._deadline:g} s", retry_after)

    def full(self, name: str = "") -> Refused:
        """Why an image can't be taken while too many wait."""
        seconds = self.retry_after()
        return self._refused(
            name, 503, f"{self.waiting:,} images wait, and {self.queue:,} may: try again in {seconds} s", seconds
        )

    def _count(self, decoded: Decoded, ran: Ran) -> None:
        """Count an answer."""
        found = ran.prediction
        asked.get().images += 1
        self.metrics.answered(found.label, found.confidence, found.abstains)
        self.metrics.spent("decode", decoded.seconds)
        self.metrics.spent("wait", ran.wait)
        trace_stages({"decode": decoded.seconds, "wait": ran.wait, "run": ran.run})
        self._rate.count(self.waiting)
