"""The one function that every route asks: from the bytes of image files to answers."""

import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from darkroom.bundle.bundle import INDEX, Bundle, load_bundle
from darkroom.images.decode import UnreadableImage
from darkroom.predict.answers import Prediction, predict_pixels
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.files import file_hash


@dataclass(frozen=True)
class LoadedModel:
    """A bundle that answers.

    Attributes:
        bundle: opened and checked.
        hash: SHA-256 of its `bundle.json`, which has the hashes of all its other files.
        since: when it began to answer, in UTC.
    """

    bundle: Bundle
    hash: str
    since: datetime


@dataclass(frozen=True)
class Upload:
    """An image as a client sent it.

    Attributes:
        name: the name that the client gave it; empty where it gave none.
        data: the bytes of the file.
    """

    name: str
    data: bytes


@dataclass(frozen=True)
class Answer:
    """The answer for one image.

    Attributes:
        prediction: as `darkroom.predict` gives it; its path is the name of the upload.
        model: that answered.
        sha256: of the bytes of the file, in hex; of the pixels, where only those came.
        heatmap: a PNG; None where none was asked for.
    """

    prediction: Prediction
    model: LoadedModel
    sha256: str
    heatmap: bytes | None = None


@dataclass(frozen=True)
class Refused:
    """An image that has no answer.

    Attributes:
        name: of the upload.
        status: of HTTP, were it asked alone: 413 for too many pixels, 422 for no readable image, 503, 504.
        reason: as ingest would give it.
    """

    name: str
    status: int
    reason: str


class Service:
    """Answers with one model after the other.

    Args:
        folder: of the bundle.
    """

    def __init__(self, folder: Path) -> None:
        self.model = LoadedModel(load_bundle(folder), file_hash(folder / INDEX), datetime.now(UTC))
        self._pool = ThreadPoolExecutor(2)

    async def predict(self, uploads: Sequence[Upload], explain: bool = False) -> list[Answer | Refused]:
        """One answer for each image, in order.

        Args:
            uploads: image files.
            explain: make heat maps, too.
        """
        loop = asyncio.get_running_loop()
        return list(await asyncio.gather(*(loop.run_in_executor(self._pool, self._one, each) for each in uploads)))

    async def predict_pixels(self, pixels: UInt8s) -> list[Answer | Refused]:
        """One answer for each image uint8 [N, S, S, C], as the graph takes them."""
        names = [""] * len(pixels)
        model = self.model
        return [
            Answer(found, model, hashlib.sha256(found.pixels.tobytes()).hexdigest())
            for found in predict_pixels(model.bundle, names, list(pixels))
        ]

    def _one(self, upload: Upload) -> Answer | Refused:
        model = self.model
        try:
            pixels = model.bundle.pixels(upload.data)
        except UnreadableImage as error:
            return Refused(upload.name, 422, str(error))
        (found,) = predict_pixels(model.bundle, [upload.name], [pixels])
        return Answer(found, model, hashlib.sha256(upload.data).hexdigest())
