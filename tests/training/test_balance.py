"""The remedy for classes of unequal size: what it weighs, and when the line speaks of it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom.training.balance import class_weights, tell_balance


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_every_class_weighs_the_same_in_sum_and_an_image_1_on_average(labels: list[int]) -> None:
    weights, counts = class_weights(np.array(labels), 6), np.bincount(labels, minlength=6)
    sums = weights.numpy() * counts
    assert sums.sum() == pytest.approx(len(labels))
    assert sums[counts > 0] == pytest.approx(np.full((counts > 0).sum(), len(labels) / (counts > 0).sum()))
    assert torch.isfinite(weights).all() and not weights[5]


def test_it_is_announced_when_it_applies() -> None:
    labels, names = np.array([0] * 310 + [1] * 100 + [2] * 200), ("cat", "dog", "eel")
    told = tell_balance(labels, names, "none")
    assert told and "cat has 310 training images and dog 100, 3.1 times fewer: train.balance=weights or" in told
    assert tell_balance(labels[10:], names, "none") is None
    told = tell_balance(labels, names, "weights")
    assert told and "counts 0.656 to 2.03 times in the training loss" in told
    told = tell_balance(labels, names, "sampler")
    assert told and "an epoch shows an image 0.656 to 2.03 times" in told
