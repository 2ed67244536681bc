"""Losses against their equations, and what mixing, weights and classes of unequal size do to them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from darkroom.network.capsule_net import LOGIT_SCALE
from darkroom.training.batches import Batch
from darkroom.training.losses import balance_note, batch_loss, class_weights, make_loss, margin_loss


def some(seed: int, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(6, classes, generator=chance), torch.randint(0, classes, (6,), generator=chance)


@given(seed=st.integers(0, 2**31))
def test_binary_is_the_cross_entropy_of_two_classes(seed: int) -> None:
    logits, labels = some(seed, classes=2)
    for smoothing in (0.0, 0.1):
        binary = make_loss("binary", smoothing, 0.0, None)(logits, labels)
        plain = make_loss("cross_entropy", smoothing, 0.0, None)(logits, labels)
        assert torch.allclose(binary, plain, atol=1e-5)


@given(seed=st.integers(0, 2**31), gamma=st.floats(0, 5))
def test_focal_counts_what_is_sure_less(seed: int, gamma: float) -> None:
    logits, labels = some(seed)
    plain, focal = cross_entropy(logits, labels, reduction="none"), make_loss("focal", 0.0, gamma, None)(logits, labels)
    assert (focal <= plain + 1e-6).all()
    assert torch.allclose(focal, (1 - logits.softmax(1)[range(6), labels]) ** gamma * plain, atol=1e-5)


def test_an_image_counts_as_its_class_weighs() -> None:
    logits, labels = some(0)
    weights = torch.tensor([1.0, 0.0, 3.0])
    found = make_loss("cross_entropy", 0.0, 0.0, weights)(logits, labels)
    assert torch.allclose(found, cross_entropy(logits, labels, reduction="none") * weights[labels])


def test_a_mixed_image_counts_for_both_its_labels() -> None:
    logits, labels = some(0)
    others, shares = labels.flip(0), torch.linspace(0, 1, 6)
    loss = make_loss("cross_entropy", 0.0, 0.0, None)
    mixed = batch_loss(loss, logits, Batch(torch.empty(0), labels, others, shares))
    soft = shares[:, None] * torch.eye(3)[labels] + (1 - shares[:, None]) * torch.eye(3)[others]
    assert mixed.item() == pytest.approx(cross_entropy(logits, soft).item(), rel=1e-5)
    assert batch_loss(loss, logits, Batch(torch.empty(0), labels, None, None)).item() == pytest.approx(
        cross_entropy(logits, labels).item()
    )


def test_each_image_by_hand() -> None:
    lengths = torch.tensor([[0.95, 0.05, 0.0], [0.5, 0.3, 0.1], [0.2, 0.9, 0.6]])
    loss = margin_loss(LOGIT_SCALE * lengths, torch.tensor([0, 0, 1]))
    assert loss.tolist() == pytest.approx([0.0, 0.4**2 + 0.5 * 0.2**2, 0.5 * (0.1**2 + 0.5**2)], abs=1e-6)
    assert (
        loss.dtype == torch.float32 and margin_loss(lengths.bfloat16(), torch.tensor([0, 0, 1])).dtype == torch.float32
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_every_class_weighs_the_same_in_sum_and_an_image_1_on_average(labels: list[int]) -> None:
    weights, counts = class_weights(np.array(labels), 6), np.bincount(labels, minlength=6)
    sums = weights.numpy() * counts
    assert sums.sum() == pytest.approx(len(labels))
    assert sums[counts > 0] == pytest.approx(np.full((counts > 0).sum(), len(labels) / (counts > 0).sum()))
    assert torch.isfinite(weights).all() and not weights[5]


def test_it_is_announced_when_it_applies() -> None:
    labels, names = np.array([0] * 310 + [1] * 100 + [2] * 200), ("cat", "dog", "eel")
    told = balance_note(labels, names, "none")
    assert told and "cat has 310 training images and dog 100, 3.1 times fewer: train.balance=weights or" in told
    assert balance_note(labels[10:], names, "none") is None
    told = balance_note(labels, names, "weights")
    assert told and "counts 0.656 to 2.03 times in the training loss" in told
    told = balance_note(labels, names, "sampler")
    assert told and "an epoch shows an image 0.656 to 2.03 times" in told
