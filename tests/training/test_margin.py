"""The margin loss, against the paper's equation worked out by hand."""

import pytest
import torch

from darkroom.network.capsule_net import LOGIT_SCALE
from darkroom.training.margin import margin_loss


def test_each_image_by_hand() -> None:
    lengths = torch.tensor([[0.95, 0.05, 0.0], [0.5, 0.3, 0.1], [0.2, 0.9, 0.6]])
    loss = margin_loss(LOGIT_SCALE * lengths, torch.tensor([0, 0, 1]))
    assert loss.tolist() == pytest.approx([0.0, 0.4**2 + 0.5 * 0.2**2, 0.5 * (0.1**2 + 0.5**2)], abs=1e-6)
    assert (
        loss.dtype == torch.float32 and margin_loss(lengths.bfloat16(), torch.tensor([0, 0, 1])).dtype == torch.float32
    )
