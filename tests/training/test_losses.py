"""Losses: what they come to, and what mixing and weights do to them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from darkroom.training.batches import Batch
from darkroom.training.losses import batch_loss, make_loss


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
