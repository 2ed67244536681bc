"""A bundle, as it ships, scored on images from the bytes of their files: the answers that its users would get."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
from tqdm import tqdm

from darkroom.bundle.bundle import Bundle
from darkroom.compare.labelled import LabelledImages
from darkroom.compare.predictions import RevisionPredictions
from darkroom.images.decode import UnreadableImage
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.errors import DarkroomError

CONFIDENCE = 0.95
# Images in memory at a time, as the small arrays that the network sees.
BATCH = 64


def answers(bundle: Bundle, files: Iterable[bytes], names: list[str], title: str) -> Float32s:
    """Calibrated probabilities of a bundle, float32 [N, K].

    Args:
        bundle: as `load_bundle` gives it.
        files: the bytes of N images.
        names: of the images, for messages.
        title: beside the progress bar.

    Raises:
        DarkroomError: when the bundle can't read an image.
    """
    remaining, found = iter(files), [np.empty((0, len(bundle.classes)), np.float32)]
    with tqdm(total=len(names), desc=title, unit="img", disable=None) as bar:
        while batch := list(islice(remaining, BATCH)):
            pixels = []
            for name, data in zip(names[bar.n :], batch, strict=False):
                try:
                    pixels.append(bundle.pixels(data))
                except UnreadableImage as error:
                    raise DarkroomError(
                        f"{bundle.folder} can't read the test image {name}: {error}; leave it out"
                    ) from None
            found.append(bundle.predict(np.stack(pixels)))
            bar.update(len(batch))
    return np.concatenate(found)


def all_classes(first: ClassList, *others: ClassList) -> ClassList:
    """The classes of the first list, then those that only the others have, in their order."""
    return ClassList(tuple(dict.fromkeys([*first.names, *(name for other in others for name in other.names)])))


def in_classes(probabilities: Float32s, classes: ClassList, wanted: ClassList) -> Float32s:
    """Probabilities of another class list; a class that the model does not know has none.

    Args:
        probabilities: float32 [N, K].
        classes: of the model.
        wanted: a list with all of them.
    """
    found = np.zeros((len(probabilities), len(wanted)), np.float32)
    found[:, [wanted.names.index(name) for name in classes.names]] = probabilities
    return found


def rescored(name: str, bundle: Bundle, images: LabelledImages, classes: ClassList) -> RevisionPredictions:
    """One side of a comparison: a bundle's predictions of images that it need not have been evaluated on.

    Args:
        name: of the side.
        bundle: of it.
        images: with the current labels.
        classes: all that bundle and labels have.

    Raises:
        DarkroomError: as `answers`.
    """
    found = answers(bundle, images.files(), images.paths, f"score {name}")
    labels = np.array([classes.names.index(label) for label in images.labels], np.int64)
    provenance = {"data_version": bundle.data_version, "class_hash": bundle.classes.hash}
    probabilities = in_classes(found, bundle.classes, classes)
    return RevisionPredictions(name, classes, images.ids, images.paths, labels, probabilities, CONFIDENCE, provenance)
