"""From files to rows: every image is read, opened and measured here, once."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from joblib import Parallel, delayed
from tqdm import tqdm

from darkroom.images.decode import UnreadableImage, decode
from darkroom.images.fingerprint import fingerprint
from darkroom.sources.source import SourceImage

# Images handed to a thread at a time: enough to make the handing over cheap, few enough to hold in memory.
BATCH = 64


@dataclass(frozen=True)
class Examined:
    """An image after its one opening: a row without its shard, and its bytes; or a row of the rejects."""

    row: dict[str, object]
    data: bytes
    rejected: bool


def examine(image: SourceImage) -> Examined:
    """Read one file, hash it, open it, measure it. The only reading and the only decoding of the file at ingest."""
    row: dict[str, object] = {"path": image.path, "label": image.label, "source_split": image.split}
    try:
        data = image.read()
    except OSError as error:
        row |= {"bytes": 0, "sha256": None, "reason": f"can't be read: {error.strerror or error}"}
        return Examined(row, b"", rejected=True)
    sha256 = hashlib.sha256(data).hexdigest()
    row |= {"bytes": len(data), "sha256": sha256}
    try:
        decoded = decode(data)
    except UnreadableImage as error:
        return Examined(row | {"reason": str(error)}, b"", rejected=True)
    measured = fingerprint(decoded.picture)
    row |= {
        # An image is its bytes at its place: the same bytes at another path are another image.
        "id": hashlib.sha256(f"{image.path}\0{sha256}".encode()).hexdigest()[:16],
        "width": decoded.width,
        "height": decoded.height,
        "mode": decoded.mode,
        "format": decoded.format,
        "dhash": measured.dhash,
        "brightness": measured.brightness,
        "sharpness": measured.sharpness,
    }
    return Examined(row, data, rejected=False)


def examine_all(images: list[SourceImage]) -> Iterator[Examined]:
    """Examine every image, in the order given, on all cores, with a progress bar.

    Threads, not processes: decoding a photograph frees the interpreter, and its bytes need not be copied.
    """
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    work = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    with tqdm(total=len(images), desc="ingest", unit="image", disable=None) as bar:
        for batch in work(delayed(lambda few: [examine(image) for image in few])(batch) for batch in batches):
            for examined in batch:
                bar.update()
                yield examined
