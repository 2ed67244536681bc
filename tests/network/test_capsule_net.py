"""Capsules: lengths between 0 and 1, told as logits; gradients that are finite in bfloat16; learning."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom.network.capsule_net import LOGIT_SCALE, CapsuleNet, squash
from darkroom.training.losses import margin_loss


@given(st.floats(0, 100), st.integers(1, 16))
def test_squashing_keeps_the_direction(length: float, dimension: int) -> None:
    vector = torch.zeros(dimension)
    vector[-1] = length
    squashed = squash(vector)
    assert squashed[-1].item() == pytest.approx(length**2 / (1 + length**2), abs=1e-5)
    assert squashed[:-1].abs().sum() == 0


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (28, 1), (33, 3), (64, 3)])
def test_logits_are_scaled_lengths(size: int, channels: int) -> None:
    network = CapsuleNet(5, channels, size).eval()
    with torch.no_grad():
        logits = network(torch.randn(3, channels, size, size))
    assert logits.shape == (3, 5)
    assert logits.min() >= 0 and logits.max() < LOGIT_SCALE


def test_it_learns_in_bfloat16() -> None:
    torch.manual_seed(0)
    network = CapsuleNet(2, 1, 8)
    images, labels = torch.randn(32, 1, 8, 8), torch.arange(32) % 2
    images[labels == 1, :, :4] += 2
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    losses = []
    for _ in range(30):
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(images)
        loss = margin_loss(logits, labels).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4
    assert (logits.argmax(1) == labels).all()
