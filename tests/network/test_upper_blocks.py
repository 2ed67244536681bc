"""The two parts of a network give what the whole gives."""

import pytest
import torch

from darkroom.network.load import build_model
from darkroom.network.upper_blocks import UpperBlocks, lower_maps
from tests.support.trained_digits import spec_of


@pytest.mark.parametrize(("pooling", "channels"), [("grid", 3), ("mean", 1)])
def test_the_upper_blocks_on_the_map_below_give_the_networks_logits(pooling: str, channels: int) -> None:
    torch.manual_seed(0)
    model = build_model(spec_of("timm/tf_efficientnet_lite0", 64, channels, pooling=pooling)).eval()
    images, upper = torch.randint(0, 256, (2, 64, 64, channels), dtype=torch.uint8), UpperBlocks(model)
    with torch.no_grad():
        assert torch.allclose(upper(lower_maps(model, images)), model(images), atol=1e-5)
    # Two in each block but one in the first of a kind, and the convolution behind the last block where it is there.
    names = {id(each): name for name, each in model.named_parameters()}
    trained = [names[id(each)] for each in upper.pointwise()]
    assert all("conv_pw" in name or name.endswith("conv_head.weight") for name in trained)
    assert not any(f"blocks.{block}." in name for name in trained for block in range(4))
