"""Examples for the page: real images, changed as in training."""

import numpy as np

from darkroom.training.augmentation import Augmentation
from darkroom.training.examples import DRAWS, EXAMPLES, augmented_examples

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (90, 8, 8, 1), dtype=np.uint8)
LABELS = RNG.integers(0, 3, 90)
KEYS = RNG.integers(0, 2**63, 90, dtype=np.uint64)
NAMES = ("one", "two", "three")


def test_examples_are_of_all_classes_and_come_as_in_the_epochs() -> None:
    found = augmented_examples(IMAGES, LABELS, KEYS, NAMES, Augmentation(flip=True), seed=0)
    assert len(found) == EXAMPLES and {each.label for each in found} == set(NAMES)
    for each in found:
        assert each.label == NAMES[LABELS[(each.image == IMAGES).all((1, 2, 3)).argmax()]]
        assert len(each.draws) == DRAWS and {counts_as for _, counts_as in each.draws} == {each.label}
        assert all(
            np.array_equal(draw, each.image) or np.array_equal(draw[:, ::-1], each.image) for draw, _ in each.draws
        )


def test_mixed_examples_say_what_they_count_as() -> None:
    found = augmented_examples(IMAGES, LABELS, KEYS, NAMES, Augmentation(cutmix=1.0), seed=0)
    said = [counts_as for each in found for _, counts_as in each.draws]
    assert any("% one, " in text for text in said) and not any(" 0%" in text for text in said)


def test_without_augmentation_there_is_nothing_to_draw() -> None:
    found = augmented_examples(IMAGES[:2], LABELS[:2], KEYS[:2], NAMES, Augmentation(), seed=0)
    assert len(found) == 2 and not any(each.draws for each in found)
