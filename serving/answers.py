"""What the service gives for an image: an answer, or why there is none."""

from dataclasses import dataclass

from darkroom.predict.answers import Prediction
from serving.model import LoadedModel


@dataclass(frozen=True)
class Answer:
    """The answer for one image.

    Attributes:
        prediction: as `darkroom.predict` gives it; its path is the name of the upload.
        model: that answered.
        sha256: of the bytes of the file, in hex; of the pixels, where only those came.
        heatmap: a PNG; None where none was asked for.
        size: width and height that the file declares; None where it does not, or only pixels came.
        decode, wait, run: seconds of decoding, in the queue, and in the graph.
        batch: the number of images that the graph got with it.
    """

    prediction: Prediction
    model: LoadedModel
    sha256: str
    heatmap: bytes | None = None
    size: tuple[int, int] | None = None
    decode: float = 0.0
    wait: float = 0.0
    run: float = 0.0
    batch: int = 1


@dataclass(frozen=True)
class Refused:
    """An image that has no answer.

    Attributes:
        name: of the upload.
        status: of HTTP, were it asked alone: 413 for too many pixels, 422 for no readable image, 503 when too many wait, 504
            after the deadline.
        reason: as ingest would give it.
        retry_after: seconds after which another try is worth it; None where none is.
    """

    name: str
    status: int
    reason: str
    retry_after: int | None = None
