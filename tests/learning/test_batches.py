"""Batches: every image once an epoch, and the same augmentation for an image wherever it stands."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom.learning.batches import TrainingBatches, augment, epoch_order, even_order

CHANCE = np.random.default_rng(0)
IMAGES = torch.from_numpy(CHANCE.integers(0, 255, (20, 9, 9, 3), dtype=np.uint8))
KEYS = CHANCE.integers(0, 2**63, 20, dtype=np.uint64)


def batches(batch_size: int, seed: int = 0) -> TrainingBatches:
    return TrainingBatches(IMAGES, torch.arange(20), KEYS, batch_size, True, 0.2, seed)


@given(st.integers(1, 30), st.integers(1, 5))
def test_no_image_comes_twice_in_an_epoch(batch_size: int, epoch: int) -> None:
    labels = [label for _, part in batches(batch_size).epoch(epoch) for label in part.tolist()]
    assert len(labels) == len(set(labels)) == 20 // min(batch_size, 20) * min(batch_size, 20)


def test_order_and_pictures_differ_by_epoch_and_seed_and_repeat_otherwise() -> None:
    def first(seed: int, epoch: int) -> list[int]:
        return [int(value) for value in next(batches(20, seed).epoch(epoch))[0].flatten()]

    assert first(0, 1) == first(0, 1)
    assert len({tuple(first(seed, epoch)) for seed in (0, 1) for epoch in (1, 2)}) == 4
    assert epoch_order(KEYS, 0, 1).tolist() != epoch_order(KEYS, 0, 2).tolist()


@given(st.permutations(range(20)), st.integers(1, 20), st.booleans(), st.floats(0, 0.5))
def test_an_image_is_augmented_alike_in_any_company(order: list[int], count: int, flip: bool, shift: float) -> None:
    chosen = np.array(order[:count])
    whole = augment(IMAGES, KEYS, flip, shift, seed=1, epoch=2)
    part = augment(IMAGES[torch.from_numpy(chosen)], KEYS[chosen], flip, shift, seed=1, epoch=2)
    assert torch.equal(part, whole[torch.from_numpy(chosen)])


def test_flip_mirrors_half_and_shift_moves_with_the_edge_repeated() -> None:
    flipped = augment(IMAGES, KEYS, True, 0.0, seed=0, epoch=1)
    mirrored = [torch.equal(one, other.flip(1)) for one, other in zip(flipped, IMAGES, strict=True)]
    same = [torch.equal(one, other) for one, other in zip(flipped, IMAGES, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True)) and 4 <= sum(mirrored) <= 16
    ramp = torch.arange(10, dtype=torch.uint8).repeat(50, 10, 1)[..., None]
    moved = augment(ramp, np.arange(50, dtype=np.uint64) * 2**40 + 7, False, 0.2, seed=0, epoch=1)[:, 0, :, 0]
    expected = [[min(max(column + by, 0), 9) for column in range(10)] for by in range(-2, 3)]
    assert {tuple(row) for row in moved.tolist()} == {tuple(row) for row in expected}


def test_nothing_asked_for_changes_nothing() -> None:
    assert torch.equal(augment(IMAGES, KEYS, False, 0.0, seed=0, epoch=1), IMAGES)


LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(lambda labels: np.array(labels, dtype=np.int64))


@given(LABELS, st.integers(0, 3), st.integers(1, 3))
def test_an_even_epoch_shows_classes_and_the_images_of_a_class_equally_often(
    labels: "np.ndarray[tuple[int], np.dtype[np.int64]]", seed: int, epoch: int
) -> None:
    keys = np.random.default_rng(1).integers(0, 2**63, len(labels), dtype=np.uint64)
    order, shown = even_order(labels, keys, seed, epoch)
    assert len(order) == len(set(shown.tolist())) == len(labels)
    classes = np.unique(labels)
    times = [np.count_nonzero(labels[order] == label) for label in classes]
    assert max(times) - min(times) <= 1
    for label in classes:
        showings = np.bincount(order, minlength=len(labels))[labels == label]
        assert showings.max() - showings.min() <= 1
    # The same images in another order of rows: dealt alike, since keys alone decide.
    rows = np.random.default_rng(seed).permutation(len(labels))
    again, alike = even_order(labels[rows], keys[rows], seed, epoch)
    assert rows[again].tolist() == order.tolist() and alike.tolist() == shown.tolist()


def test_an_even_epoch_is_the_same_after_a_restart_and_repeats_no_picture() -> None:
    labels = torch.tensor([0] + [1] * 19)

    def epoch(made: TrainingBatches, number: int) -> list[tuple[list[int], bytes]]:
        return [(part.tolist(), pictures.numpy().tobytes()) for pictures, part in made.epoch(number)]

    def fresh() -> TrainingBatches:
        return TrainingBatches(IMAGES, labels, KEYS, 1, True, 0.4, 0, evenly=True)

    used = fresh()
    epoch(used, 1)
    assert epoch(used, 2) == epoch(fresh(), 2) != epoch(fresh(), 1)
    rare = [picture for label, picture in epoch(fresh(), 1) if label == [0]]
    assert len(rare) == 10 and len(set(rare)) >= 8
