"""The queue before the graph, and the threads that run it: each takes what waits as soon as it is free, with no timer."""

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

from darkroom.predict.answers import Prediction, predict_pixels
from darkroom.runtime.arrays import UInt8s
from serving.metrics import Metrics
from serving.model import LoadedModel


@dataclass(frozen=True)
class Ran:
    """What the graph gave for an image.

    Attributes:
        prediction: of the image.
        batch: the number of images that were predicted with it.
        wait: seconds in the queue.
        run: seconds in the graph.
        cost: seconds of a processor that the graph took for this image alone.
    """

    prediction: Prediction
    batch: int
    wait: float
    run: float
    cost: float


@dataclass(eq=False)
class Job:
    """A decoded image that waits for its prediction.

    Attributes:
        name: of the upload.
        pixels: uint8 [S, S, C], as the model takes them.
        model: for which it was decoded, and which answers.
        deadline: when nobody waits for it any more, on the clock of `time.monotonic`.
        loop: in which the answer is awaited.
        done: gets the answer; cancelled when the client has left.
        since: when it was put into the queue.
    """

    name: str
    pixels: UInt8s
    model: LoadedModel
    deadline: float
    loop: asyncio.AbstractEventLoop
    done: "asyncio.Future[Ran]"
    since: float = field(default_factory=time.monotonic)


class Engine:
    """Threads that predict what waits.

    Args:
        threads: that run the graph at the same time, each with one thread.
        metrics: count each batch.
    """

    def __init__(self, threads: int, metrics: Metrics) -> None:
        self._metrics = metrics
        self._waiting: deque[Job] = deque()
        self._change = threading.Condition()
        self._free = 0
        self.running = 0  # images in the graph
        self._closed = False
        self._threads = [threading.Thread(target=self._work, name=f"engine-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Images in the queue."""
        return len(self._waiting)

    async def run(self, name: str, pixels: UInt8s, model: LoadedModel, seconds: float) -> Ran:
        """What the graph gives for an image; when this is cancelled, the image is given up.

        Args:
            name, pixels, model: as in `Job`.
            seconds: after which nobody waits any more.

        Raises:
            TimeoutError: after these seconds.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Ran] = loop.create_future()
        self.put(Job(name, pixels, model, time.monotonic() + seconds, loop, done))
        # With less work than `asyncio.timeout` has, once for every image.
        late = loop.call_later(seconds, _give_up, done)
        try:
            return await done
        finally:
            late.cancel()

    def put(self, job: Job) -> None:
        """Let an image wait for the next free thread."""
        with self._change:
            self._waiting.append(job)
            self._change.notify()

    def close(self) -> None:
        """Predict what waits, and end the threads."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while batch := self._take():
            self._run(batch)
            with self._change:
                self.running -= len(batch)

    def _take(self) -> list[Job]:
        """The next images for one model, as many as a batch may have, and no more than the other free threads leave; empty at
        the end. Images whose client has left, or whose time is over, are skipped."""
        with self._change:
            self._free += 1
            while True:
                while not self._waiting and not self._closed:
                    self._change.wait()
                share = -(-len(self._waiting) // self._free)
                batch: list[Job] = []
                now = time.monotonic()
                while self._waiting and len(batch) < share:
                    if batch and (self._waiting[0].model is not batch[0].model or len(batch) >= batch[0].model.batch):
                        break
                    job = self._waiting.popleft()
                    if not job.done.cancelled() and now < job.deadline:
                        batch.append(job)
                if batch or self._closed:
                    self._free -= 1
                    self.running += len(batch)
                    return batch

    def _run(self, batch: list[Job]) -> None:
        start, cost = time.monotonic(), time.thread_time()
        bundle = batch[0].model.bundle
        try:
            predictions = list(predict_pixels(bundle, [job.name for job in batch], [job.pixels for job in batch]))
        except Exception as error:  # the edge of the thread, which has to go on; who asked gets it
            if len(batch) > 1:  # the fault of one of them, perhaps
                for job in batch:
                    self._run([job])
            else:
                _deliver(batch[0].loop, [(batch[0].done, error)])
            return
        seconds, cost = time.monotonic() - start, (time.thread_time() - cost) / len(batch)
        self._metrics.batch(len(batch))
        self._metrics.spent("run", seconds)
        answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Ran], Ran | Exception]]] = {}
        for job, prediction in zip(batch, predictions, strict=True):
            ran = Ran(prediction, len(batch), start - job.since, seconds, cost)
            answers.setdefault(job.loop, []).append((job.done, ran))
        for loop, found in answers.items():
            _deliver(loop, found)


def _deliver(loop: asyncio.AbstractEventLoop, found: list[tuple["asyncio.Future[Ran]", Ran | Exception]]) -> None:
    """Wake the loop once for a whole batch."""
    # A loop that has ended awaits nothing.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_set, found)


def _give_up(done: "asyncio.Future[Ran]") -> None:
    if not done.done():
        done.set_exception(TimeoutError())


def _set(found: list[tuple["asyncio.Future[Ran]", Ran | Exception]]) -> None:
    for done, result in found:
        if done.done():
            continue
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)
