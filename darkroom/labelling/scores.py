"""What a bundle says about images that wait: its answer, how near it is to another one, and how far the image is from the
images that the bundle's reference was made of."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from tqdm import tqdm

from darkroom.bundle.bundle import REFERENCE, Bundle
from darkroom.bundle.graph_features import with_features
from darkroom.images.decode import UnreadableImage, decode
from darkroom.images.measure import MEASURED_SIDE, fingerprint
from darkroom.inference.session import OUTPUT, open_session, values
from darkroom.labelling.waiting import WaitingImage
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.files import read_json

BATCH = 64
# Deviations of the reference beyond which an image is far from it.
FAR = 3.0
# Properties of the picture itself; its size and bytes say more of the camera.
PROPERTIES = ("brightness", "contrast", "sharpness")


@dataclass(frozen=True)
class Scored:
    """An image that waits, with what the model says.

    Attributes:
        image: that waits.
        predicted: the most probable class.
        confidence: its probability.
        margin: how much more probable it is than the second.
        distance: from the reference, in deviations: the largest of brightness, contrast, sharpness, and the root mean square
            over the features.
    """

    image: WaitingImage
    predicted: str
    confidence: float
    margin: float
    distance: float


class Scorer:
    """Opens a bundle's graph with its features.

    Args:
        bundle: that predicts.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._reference: dict[str, Any] = read_json(bundle.folder / REFERENCE)
        graph, name = with_features(bundle.folder / bundle.graph)
        embedding = self._reference.get("embedding")
        self._names = [OUTPUT] + ([name] if name and embedding and embedding["value"] == name else [])
        self._session = open_session(graph)

    def score(self, images: Iterable[WaitingImage]) -> Iterator[Scored]:
        """Score images; those that can't be read are left out.

        Args:
            images: in any order; memory does not grow with their number.
        """
        remaining = iter(tqdm(list(images), "score", unit="img", disable=None))
        while batch := list(islice(remaining, BATCH)):
            readable = [(image, data) for image in batch if (data := _bytes_of(image)) is not None]
            yield from self._score(readable)

    def _score(self, batch: list[tuple[WaitingImage, bytes]]) -> Iterator[Scored]:
        decoded = []
        for image, data in batch:
            try:
                decoded.append((image, self._bundle.pixels(data), self._property_distance(data)))
            except UnreadableImage:
                continue
        if not decoded:
            return
        found = values(self._session, self._names, np.stack([pixels for _, pixels, _ in decoded]))
        far = self._feature_distances(found[1]) if len(found) > 1 else [0.0] * len(decoded)
        for (image, _, distance), row, feature_distance in zip(decoded, found[0], far, strict=True):
            first, second = np.sort(row)[::-1][:2].tolist()
            label = self._bundle.classes.names[int(row.argmax())]
            yield Scored(image, label, first, first - second, max(distance, feature_distance))

    def _property_distance(self, data: bytes) -> float:
        shape = self._bundle.preprocessing
        decoded = decode(data, shape.decoder, least_side=MEASURED_SIDE, grey=True, depth=shape.depth)
        measured = fingerprint(decoded.pixels)
        usual = self._reference["properties"]
        found = np.array([getattr(measured, name) for name in PROPERTIES])
        mean, std = (np.array([usual[name][of] for name in PROPERTIES]) for of in ("mean", "std"))
        return float((np.abs(found - mean) / np.maximum(std, 1e-6)).max())

    def _feature_distances(self, features: Float32s) -> list[float]:
        usual = self._reference["embedding"]
        mean, std = np.array(usual["mean"]), np.maximum(usual["std"], 1e-6)
        squares = ((features.reshape(len(features), -1) - mean) / std) ** 2
        # A feature that the reference hardly moves would speak for all.
        return [math.sqrt(value) for value in np.minimum(squares, 100.0).mean(axis=1).tolist()]


def _bytes_of(image: WaitingImage) -> bytes | None:
    try:
        return image.read()
    except OSError:
        return None
