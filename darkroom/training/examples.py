"""Training images as they are and as the network sees them, for people to look at."""

import numpy as np
import numpy.typing as npt
import torch

from darkroom.runtime.arrays import Images, UInt64s
from darkroom.training.augmentation import Augmentation
from darkroom.training.batches import TrainingBatches
from darkroom.training.record import Example

# Images shown, and how often each.
EXAMPLES, DRAWS = 6, 6


def augmented_examples(
    images: Images,
    labels: npt.NDArray[np.int64],
    keys: UInt64s,
    names: tuple[str, ...],
    augmentation: Augmentation,
    seed: int,
) -> list[Example]:
    """A few images of different classes, augmented as in the training; they are mixed with one another.

    Args:
        images: uint8 [N, S, S, C], the training images; memory-mapped ones are read in a few places.
        labels: int64 [N].
        keys: uint64 [N], one for each image.
        names: of the classes.
        augmentation: of the augmentation; where it does nothing there are no draws.
        seed: of the training.
    """
    by_class = np.argsort(labels, kind="stable")
    places = np.linspace(0, len(labels) - 1, min(EXAMPLES, len(labels))).astype(np.int64)
    rows = by_class[places]
    examples = [Example(names[labels[row]], np.array(images[row]), []) for row in rows]
    if augmentation.nothing:
        return examples
    originals = torch.from_numpy(np.stack([example.image for example in examples]))
    batches = TrainingBatches(originals, torch.arange(len(rows)), keys[rows], len(rows), augmentation, seed)
    for epoch in range(1, DRAWS + 1):
        for batch in batches.epoch(epoch):
            for place, row in enumerate(batch.labels.tolist()):
                counts_as = examples[row].label
                if batch.other_labels is not None and batch.own_weights is not None:
                    counts_as = _mixed(
                        float(batch.own_weights[place]), counts_as, examples[int(batch.other_labels[place])].label
                    )
                examples[row].draws.append((batch.images[place].numpy(), counts_as))
    return examples


def _mixed(weight: float, label: str, other: str) -> str:
    if label == other or f"{weight:.0%}" == "100%":
        return label
    return other if f"{weight:.0%}" == "0%" else f"{weight:.0%} {label}, {1 - weight:.0%} {other}"
