"""A bundle, as it ships, scored on images from the bytes of their files: the answers that its users would get."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.compare.labelled import LabelledImages, data_splits, labelled_test_images
from darkroom.compare.predictions import RevisionPredictions
from darkroom.images.decode import UnreadableImage
from darkroom.model.classes import ClassList
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.paths import BUNDLE
from darkroom.runtime.revisions import Revision, open_revision
from darkroom.runtime.text import count

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


def rescored_revisions(before: str, after: str) -> tuple[RevisionPredictions, RevisionPredictions]:
    """Both bundles, as they ship, on the test images of the revision after, with its labels.

    Corrected labels, new classes, new images and moved files are all scored. Images that the model before was trained on, or
    chosen by, are left out: they are found by their bytes.

    Args:
        before, after: as for `revision_predictions`.

    Raises:
        DarkroomError: when a revision has no bundle or no data, or no test image is left.
    """
    with open_revision(before) as old, open_revision(after) as new:
        bundles = [load_bundle(_bundle(revision)) for revision in (old, new)]
        images = labelled_test_images(new, data_splits(new))
        trained_on = set(data_splits(old).of("sha256", "train", "validation"))
        keep = [row for row, digest in enumerate(images.sha256) if digest not in trained_on]
        if not keep:
            raise DarkroomError(f"the model of {before} was trained on all {len(images):,} test images of {after}")
        if len(keep) < len(images):
            left_out = count(len(images) - len(keep), "test image")
            print(f"{left_out} of {after} left out, since the model of {before} was trained on them or chosen by them")
        images = images.take(keep)
        classes = all_classes(images.classes, *(bundle.classes for bundle in bundles))
        first, second = (
            rescored(name, bundle, images, classes) for name, bundle in zip((before, after), bundles, strict=True)
        )
    return first, second


def _bundle(revision: Revision) -> Path:
    if not revision.has(BUNDLE.as_posix()):
        raise DarkroomError(
            f"{revision.name} has no bundle in {BUNDLE}: run `make run` there, or choose another revision"
        )
    return revision.get(BUNDLE.as_posix())
