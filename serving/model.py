"""A bundle that answers: opened, checked, warmed up, and how many of its images are best predicted at once."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from darkroom.bundle.bundle import INDEX, Bundle, load_bundle
from darkroom.runtime.files import file_hash

# Sizes that are tried; a graph gains by larger ones no more.
SIZES = (1, 2, 4, 8, 16, 32)
# A larger batch has to predict that much more images a second.
GAIN = 1.05
# Seconds that a batch may take, since an image that comes meanwhile waits for it.
LONGEST = 0.1


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

    A larger one has to be faster by 5%, and take less than 0.1 s.
    """
    shape = (bundle.preprocessing.size, bundle.preprocessing.size, bundle.preprocessing.channels)
    best, best_rate = 1, 0.0
    for size in SIZES:
        images = np.zeros((size, *shape), np.uint8)
        bundle.predict(images)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            bundle.predict(images)
            times.append(time.perf_counter() - start)
        if size > 1 and min(times) > LONGEST:
            break
        if size / min(times) > GAIN * best_rate:
            best, best_rate = size, size / min(times)
    return best
