"""The order of an epoch, and epochs in which every class comes equally often."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from darkroom.training.order import epoch_order, even_order

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
