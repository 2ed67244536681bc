"""Samples of the training images, each a part of the next larger one, so that nothing is computed twice."""

import numpy as np

from darkroom.runtime.arrays import Int64s
from darkroom.runtime.seeding import seed_of

# Of a class that is in a sample, where it has so many: one for each fold.
LEAST_OF_A_CLASS = 5
# A sample of n images has n / 10 classes at most, since fewer images of more classes compare nothing.
IMAGES_OF_A_CLASS = 10


def sample_rows(labels: Int64s, images: int, seed: int) -> Int64s:
    """Rows of a sample, sorted: of each class its part, and of many classes a part.

    Args:
        labels: int64 [N].
        images: how many to take, about; from N on all are taken.
        seed: of the draw.
    """
    if images >= len(labels):
        return np.arange(len(labels))
    draw = np.random.default_rng(seed_of("selection", seed))
    order = draw.permutation(len(labels))
    classes = draw.permutation(np.unique(labels))[: max(2, images // IMAGES_OF_A_CLASS)]
    counts = np.array([(labels == label).sum() for label in classes])
    parts = np.maximum(np.round(images * counts / counts.sum()).astype(np.int64), LEAST_OF_A_CLASS)
    rows = [order[labels[order] == label][:part] for label, part in zip(classes, parts, strict=True)]
    return np.sort(np.concatenate(rows))
