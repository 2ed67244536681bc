"""Batch normalisation over several processes; in one alone it is torch's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn

from darkroom.training.sync_batchnorm import SyncBatchNorm


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def passed(model: nn.Module, called: nn.Module) -> list[Tensor]:
    """What a training step and then an evaluation give, the gradients, and the running statistics."""
    images = torch.randn(6, 3, 5, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    out = called(images)
    out.square().sum().backward()
    grown = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert images.grad is not None
    found = [out, images.grad, *grown, *model.state_dict().values(), called.eval()(images)]
    return [each.detach().clone() for each in found]


@pytest.mark.parametrize("affine", [True, False])
def test_it_gives_what_torch_gives(group: None, affine: bool) -> None:
    def made() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=affine), nn.ReLU(), nn.Conv2d(4, 2, 3))

    plain, synchronised = made(), made()
    for one, other in zip(passed(plain, plain), passed(synchronised, SyncBatchNorm(synchronised).train()), strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)
