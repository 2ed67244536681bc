"""Inspect image files: read, hash and decode each once, and measure its brightness, contrast, sharpness and thumbnail."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter

import cv2
import numpy as np
from tqdm import tqdm

from darkroom.images.decode import Decoded, OutOfMemory, UnreadableImage, decode, open_samples, out_of_memory
from darkroom.images.samples import Samples
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.threads import in_batches, in_order
from darkroom.sources.source import Reader, SourceImage

# Pictures are measured at this shorter side, so that a large photograph and a small one of the same scene measure alike.
MEASURED_SIDE = 128
THUMBNAIL_SIDE = 32
NO_THUMBNAIL = bytes(THUMBNAIL_SIDE * THUMBNAIL_SIDE)


@dataclass(frozen=True)
class Fingerprint:
    """Attributes:
    brightness: mean grey value, in [0, 1].
    contrast: standard deviation of the grey values, in [0, 0.5].
    sharpness: variance of the Laplacian over grey values in [0, 255]; low where a picture is blurred or blank.
    thumbnail: uint8 [32, 32], grey, the whole picture stretched.
    """

    brightness: float
    contrast: float
    sharpness: float
    thumbnail: UInt8s


def fingerprint(grey: UInt8s) -> Fingerprint:
    """Measure a picture, uint8 [H, W, 1]; it is first reduced to a shorter side of at most 128 pixels.

    Sharpness is Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy".
    OpenCV does the arithmetic: at 100 pixels it takes 30 µs where NumPy takes 120, and lets other threads run meanwhile.
    """
    height, width = grey.shape[:2]
    if min(height, width) > MEASURED_SIDE:
        share = MEASURED_SIDE / min(height, width)
        size = (round(width * share), round(height * share))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
    mean, deviation = cv2.meanStdDev(grey)
    return Fingerprint(
        brightness=float(mean[0, 0]) / 255,
        contrast=float(deviation[0, 0]) / 255,
        sharpness=_laplacian_variance(grey),
        thumbnail=thumbnail(grey),
    )


def thumbnail(grey: UInt8s) -> UInt8s:
    """uint8 [32, 32] of uint8 [H, W, 1], stretched, by area averaging."""
    return np.asarray(cv2.resize(grey, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA))


def _laplacian_variance(grey: UInt8s) -> float:
    """Of the 4-neighbour Laplacian where all neighbours exist; 0 for pictures less than 3 pixels wide or high."""
    if min(grey.shape[:2]) < 3:
        return 0.0
    edges = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)[1:-1, 1:-1]
    # Both sums are exact, and together take 3 µs at 100 pixels where `meanStdDev` takes 8 on 16 bits; its arithmetic is used,
    # root included: of 37,263 pictures none got another float32, without the root one did.
    share = 1 / edges.size
    mean = cv2.sumElems(edges)[0] * share
    return math.sqrt(max(cv2.norm(edges, cv2.NORM_L2SQR) * share - mean * mean, 0.0)) ** 2


@dataclass(frozen=True)
class Inspection:
    """An image that was read.

    Attributes:
        data: its bytes; empty when they can't be read or are no image.
        facts: the columns of `darkroom.images.cache.FACTS` that it has: `reason` when it is rejected, only `sha256` when its
            content is known.
        gone: whether the operating system could not read its file, as where it is not there or a network share fails.
    """

    data: bytes
    facts: dict[str, object]
    gone: bool = False


def inspect_image(image: SourceImage, read: Reader, decoder: str, known: Mapping[str, int]) -> Inspection:
    """Read one file, hash it, decode it, measure it: the only reading and the only decoding of the file at ingest.

    Args:
        image: to read.
        read: gives its bytes.
        decoder: as in `darkroom.images.decode.decode`.
        known: hashes of contents that need not be opened again.
    """
    facts: dict[str, object]
    try:
        data = read(image)
    except OSError as error:
        facts = {"sha256": None, "bytes": 0, "reason": f"can't be read: {error.strerror or error}"}
        return Inspection(b"", facts, gone=error.errno is not None)
    except MemoryError:
        return Inspection(b"", {"sha256": None, "bytes": 0, "reason": str(out_of_memory())})
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in known:
        return Inspection(data, {"sha256": sha256})
    facts = {"sha256": sha256, "bytes": len(data)}
    try:
        # What holds other than 8 bits a value is measured when the rule for all such files is known.
        if samples := open_samples(data):
            return Inspection(data, facts | _describe_samples(samples))
        decoded = decode(data, decoder, least_side=MEASURED_SIDE, grey=True)
    except OutOfMemory as error:
        # Of this run alone: without a hash it is not in the cache of the next one.
        return Inspection(b"", facts | {"sha256": None, "reason": str(error)})
    except UnreadableImage as error:
        return Inspection(b"", facts | {"reason": str(error)})
    return Inspection(data, facts | measure(decoded))


def measure(decoded: Decoded) -> dict[str, object]:
    """The columns of `darkroom.images.cache.FACTS` that are measured of a picture."""
    found = fingerprint(decoded.pixels)
    return {
        "width": decoded.width,
        "height": decoded.height,
        "mode": decoded.mode,
        "format": decoded.format,
        "frames": decoded.frames,
        "remark": decoded.remark,
        "brightness": found.brightness,
        "contrast": found.contrast,
        "sharpness": found.sharpness,
        "thumbnail": found.thumbnail.tobytes(),
    }


def _describe_samples(samples: Samples) -> dict[str, object]:
    low, high = samples.range
    declared = samples.declared or (None, None)
    return {
        "kind": samples.kind,
        "low": low,
        "high": high,
        "declared_low": declared[0],
        "declared_high": declared[1],
    }


def inspect_all(
    images: list[tuple[SourceImage, int]],
    read: Reader,
    decoder: str,
    known: Mapping[str, int],
    readers: int | None = None,
    word: str = "ingest",
) -> Iterator[Inspection]:
    """Inspect every image, in the order given, on all cores, with a progress bar.

    Args:
        images: each with its bytes, about.
        read, decoder, known: as in `inspect_image`.
        readers: how many images to read at a time, ahead of the cores; None: each core reads its own.
        word: for the progress bar.
    """

    def inspect_batch(batch: list[tuple[SourceImage, int, Reader]]) -> list[Inspection]:
        return [inspect_image(image, content, decoder, known) for image, _, content in batch]

    contents = in_order(lambda each: _fetch(each[0], read), images, itemgetter(1), readers) if readers else repeat(read)
    batches = in_batches(((*each, content) for each, content in zip(images, contents, strict=False)), itemgetter(1))
    with tqdm(total=len(images), desc=word, unit="image", disable=None) as bar:
        for batch in in_order(inspect_batch, batches, lambda batch: sum(size for _, size, _ in batch)):
            bar.update(len(batch))
            yield from batch


def _fetch(image: SourceImage, read: Reader) -> Reader:
    """Read an image now, for the core that asks for it later; a failure is raised there."""
    fetched: Future[bytes] = Future()
    try:
        fetched.set_result(read(image))
    except (OSError, MemoryError) as error:
        fetched.set_exception(error)
    return lambda _: fetched.result()
