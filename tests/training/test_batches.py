"""Batches: every image once an epoch or every class equally often, and the same batch whoever prepares it."""

from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom.runtime.errors import DarkroomError
from darkroom.training.augmentation import Augmentation
from darkroom.training.batches import Batch, TrainingBatches, balanced_order, epoch_order

CHANCE = np.random.default_rng(0)
IMAGES = torch.from_numpy(CHANCE.integers(0, 255, (20, 9, 9, 3), dtype=np.uint8))
KEYS = CHANCE.integers(0, 2**63, 20, dtype=np.uint64)
PLAIN = Augmentation(flip=True, shift=0.2)
FULL = Augmentation(
    flip=True, rotate=10, brightness=0.2, noise=0.1, cutout=0.3, mixup=0.2, cutmix=1,
    albumentations=[{"name": "GaussianBlur", "p": 0.5}, {"name": "RandomGamma"}],
)  # fmt: skip


def batches(
    batch_size: int, recipe: Augmentation = PLAIN, workers: int = 0, rank: int = 0, world: int = 1, seed: int = 0
) -> TrainingBatches:
    return TrainingBatches(
        IMAGES, torch.arange(20), KEYS, batch_size, recipe, seed, workers=workers, rank=rank, world=world
    )


def content(batch: Batch) -> list[bytes]:
    return [b"" if part is None else part.numpy().tobytes() for part in batch]


@given(st.integers(1, 30), st.integers(1, 5))
def test_no_image_comes_twice_in_an_epoch(batch_size: int, epoch: int) -> None:
    labels = [label for batch in batches(batch_size).epoch(epoch) for label in batch.labels.tolist()]
    assert len(labels) == len(set(labels)) == 20 // min(batch_size, 20) * min(batch_size, 20)


def test_order_and_pictures_differ_by_epoch_and_seed_and_repeat_otherwise() -> None:
    def first(seed: int, epoch: int) -> tuple[bytes, ...]:
        return tuple(content(next(batches(20, FULL, seed=seed).epoch(epoch))))

    assert first(0, 1) == first(0, 1)
    assert len({first(seed, epoch) for seed in (0, 1) for epoch in (1, 2)}) == 4


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_prepare_the_batches_of_none_and_leave_the_chance_of_dropout_alone(workers: int) -> None:
    torch.manual_seed(5)
    with_workers = [content(batch) for batch in batches(6, FULL, workers=workers).epoch(2)]
    after = torch.rand(1)
    torch.manual_seed(5)
    assert with_workers == [content(batch) for batch in batches(6, FULL).epoch(2)]
    assert after == torch.rand(1)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_in_its_middle(workers: int) -> None:
    whole = [content(batch) for batch in batches(6, FULL).epoch(3)]
    assert len(whole) == 3
    assert [content(batch) for batch in batches(6, FULL, workers).epoch(3, first_step=2)] == whole[2:]
    assert list(batches(6, FULL, workers).epoch(3, first_step=3)) == []


@pytest.mark.parametrize("recipe", [PLAIN, FULL])
def test_processes_share_the_batches_of_one_without_overlap(recipe: Augmentation) -> None:
    for number, whole in enumerate(batches(7, recipe).epoch(1)):
        for rank in range(3):
            part = next(islice(batches(7, recipe, rank=rank, world=3).epoch(1), number, None))
            assert content(part) == [b"" if rows is None else rows[rank::3].numpy().tobytes() for rows in whole]


def test_processes_that_would_get_nothing_are_refused() -> None:
    with pytest.raises(DarkroomError, match="4 processes can't share batches of 3 images"):
        batches(3, world=4)


def test_features_come_as_they_are() -> None:
    features = torch.randn(20, 5)
    made = TrainingBatches(features, torch.arange(20), KEYS, 8, Augmentation(), 0)
    for batch in made.epoch(1):
        assert torch.equal(batch.images, features[batch.labels]) and batch.other_labels is batch.own_weights is None


def test_an_even_epoch_is_the_same_after_a_restart_and_repeats_no_picture() -> None:
    labels = torch.tensor([0] + [1] * 19)

    def epoch(made: TrainingBatches, number: int) -> list[list[bytes]]:
        return [content(batch) for batch in made.epoch(number)]

    def fresh() -> TrainingBatches:
        return TrainingBatches(IMAGES, labels, KEYS, 1, Augmentation(flip=True, shift=0.4), 0, balanced=True)

    used = fresh()
    epoch(used, 1)
    assert epoch(used, 2) == epoch(fresh(), 2) != epoch(fresh(), 1)
    rare = [batch.images.numpy().tobytes() for batch in fresh().epoch(1) if batch.labels == 0]
    assert len(rare) == 10 and len(set(rare)) >= 8


KEYS = np.random.default_rng(0).integers(0, 2**63, 20, dtype=np.uint64)


def test_the_order_differs_by_epoch_and_seed() -> None:
    orders = {tuple(epoch_order(KEYS, seed, epoch).tolist()) for seed in (0, 1) for epoch in (1, 2)}
    assert len(orders) == 4 and all(sorted(order) == list(range(20)) for order in orders)


LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=40).map(lambda labels: np.array(labels, dtype=np.int64))


@given(LABELS, st.integers(0, 3), st.integers(1, 3))
def test_an_even_epoch_shows_classes_and_the_images_of_a_class_equally_often(
    labels: "np.ndarray[tuple[int], np.dtype[np.int64]]", seed: int, epoch: int
) -> None:
    keys = np.random.default_rng(1).integers(0, 2**63, len(labels), dtype=np.uint64)
    order, shown = balanced_order(labels, keys, seed, epoch)
    assert len(order) == len(set(shown.tolist())) == len(labels)
    classes = np.unique(labels)
    times = [np.count_nonzero(labels[order] == label) for label in classes]
    assert max(times) - min(times) <= 1
    for label in classes:
        showings = np.bincount(order, minlength=len(labels))[labels == label]
        assert showings.max() - showings.min() <= 1
    # The same images in another order of rows: dealt alike, since keys alone decide.
    rows = np.random.default_rng(seed).permutation(len(labels))
    again, alike = balanced_order(labels[rows], keys[rows], seed, epoch)
    assert rows[again].tolist() == order.tolist() and alike.tolist() == shown.tolist()
