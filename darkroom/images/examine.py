"""From a file to what is known of it: every image is read, opened and measured here, once."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tqdm import tqdm

from darkroom.images.decode import UnreadableImage, decode
from darkroom.images.measure import MEASURED_SIDE, THUMBNAIL_SIDE, fingerprint
from darkroom.runtime.threads import in_order
from darkroom.sources.source import SourceImage

# Images handed to a thread at a time: enough to make the handing over cheap, few enough to hold in memory.
BATCH = 16
NO_THUMBNAIL = bytes(THUMBNAIL_SIDE * THUMBNAIL_SIDE)


@dataclass(frozen=True)
class Examined:
    """An image that was read.

    Attributes:
        data: its bytes; empty when they can't be read or are no image.
        facts: the columns of `darkroom.images.cache.FACTS` that it has: `reason` when it is rejected, only `sha256` when its
            content is known.
        thumbnail: 32 x 32 grey values, row by row; black where there is none.
    """

    data: bytes
    facts: dict[str, object]
    thumbnail: bytes = NO_THUMBNAIL


def examine(image: SourceImage, decoder: str, known: Mapping[str, int]) -> Examined:
    """Read one file, hash it, open it, measure it. The only reading and the only decoding of the file at ingest.

    Args:
        image: to read.
        decoder: as in `darkroom.images.decode.decode`.
        known: hashes of contents that need not be opened again.
    """
    try:
        data = image.read()
    except OSError as error:
        return Examined(b"", {"sha256": None, "bytes": 0, "reason": f"can't be read: {error.strerror or error}"})
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 in known:
        return Examined(data, {"sha256": sha256})
    facts: dict[str, object] = {"sha256": sha256, "bytes": len(data)}
    try:
        decoded = decode(data, decoder, least_side=MEASURED_SIDE, grey=True)
    except UnreadableImage as error:
        return Examined(b"", facts | {"reason": str(error)})
    measured = fingerprint(decoded.pixels)
    facts |= {
        "width": decoded.width,
        "height": decoded.height,
        "mode": decoded.mode,
        "format": decoded.format,
        "frames": decoded.frames,
        "brightness": measured.brightness,
        "contrast": measured.contrast,
        "sharpness": measured.sharpness,
    }
    return Examined(data, facts, measured.thumbnail.tobytes())


def examine_all(images: list[SourceImage], decoder: str, known: Mapping[str, int]) -> Iterator[Examined]:
    """Examine every image, in the order given, on all cores, with a progress bar."""
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]

    def examine_few(few: list[SourceImage]) -> list[Examined]:
        return [examine(image, decoder, known) for image in few]

    with tqdm(total=len(images), desc="ingest", unit="image", disable=None) as bar:
        for batch in in_order(examine_few, batches):
            bar.update(len(batch))
            yield from batch
