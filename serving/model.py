"""A bundle that answers: opened, checked, warmed up, and how many of its images are best predicted at once."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from darkroom.bundle.bundle import INDEX, Bundle, load_bundle
from darkroom.inference.session import give_back_memory
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.cores import usable_cores
from darkroom.runtime.files import file_hash

# Sizes that are tried; a graph gains by larger ones no more.
SIZES = (1, 2, 4, 8, 16, 32)
# A larger batch has to predict that much more images a second.
GAIN = 1.05
# Runs of each size after the first; the fastest counts.
REPEATS = 3
# Seconds that a batch may take, since an image that comes meanwhile waits for it.
LONGEST = 0.1
# Seconds for an image below which a second thread for the graph gains nothing: what Python does about each request takes some
# 0.4 ms, one request at a time, and a second thread holds that up. At 28 px with two cores one thread answered 2,170 to 2,400
# images a second, two 1,330 to 2,100.
SHORT = 0.0005


@dataclass(frozen=True)
class LoadedModel:
    """A bundle that answers.

    Attributes:
        bundle: opened and checked.
        hash: SHA-256 of its `bundle.json`, which has the hashes of all its other files.
        since: when it began to answer, in UTC.
        batch: images that its graph gets at once, at most.
    """

    bundle: Bundle
    hash: str
    since: datetime
    batch: int = 1


def open_model(folder: Path, batch: int = 0) -> LoadedModel:
    """Open a bundle, hash by hash, and warm it up.

    Each run of its graph takes one thread, the one that calls: two that predict at the same time answer 10 to 25% more images
    than one with two threads.

    Args:
        folder: of the bundle; a link is followed once, so that all files are of one bundle whatever happens to the link.
        batch: images that the graph gets at once, at most; 0 measures what is fastest.

    Raises:
        DarkroomError: as `load_bundle` does.
    """
    folder = folder.resolve()
    bundle = load_bundle(folder, threads=1)
    hash_then = file_hash(folder / INDEX)
    return LoadedModel(bundle, hash_then, datetime.now(UTC), batch or fastest_batch(bundle))


def fastest_batch(bundle: Bundle) -> int:
    """The number of images that a graph predicts fastest at once, as measured here and now.

    A larger one has to be faster by 5%, and take less than 0.1 s. What counts is the processor's time of this thread, since a
    model is also opened under load and at the lowest priority.
    """
    shape = (bundle.preprocessing.size, bundle.preprocessing.size, bundle.preprocessing.channels)
    bundle.predict(np.zeros((1, *shape), np.uint8))  # the first run is slow
    best, best_rate = 1, 0.0
    for size in SIZES:
        images = np.zeros((size, *shape), np.uint8)
        seconds = _seconds(bundle, images)
        if size > 1 and seconds > LONGEST:
            break
        seconds = min(seconds, *(_seconds(bundle, images) for _ in range(REPEATS)))
        if size / seconds > GAIN * best_rate:
            best, best_rate = size, size / seconds
        elif size > 2 * best:  # two sizes that gain nothing are the last
            break
    give_back_memory(bundle.session, np.zeros((1, *shape), np.uint8))
    return best


def engine_threads(bundle: Bundle) -> int:
    """Images that are best predicted at the same time: one where the graph is quicker than what is around it, or else as many
    as there are cores for this process."""
    shape = (bundle.preprocessing.size, bundle.preprocessing.size, bundle.preprocessing.channels)
    image = np.zeros((1, *shape), np.uint8)
    return 1 if min(_seconds(bundle, image) for _ in range(REPEATS)) < SHORT else usable_cores()


def _seconds(bundle: Bundle, images: UInt8s) -> float:
    start = time.thread_time()
    bundle.predict(images)
    return max(time.thread_time() - start, 1e-9)
