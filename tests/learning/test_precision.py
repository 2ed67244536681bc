"""The rule for bfloat16 looks at the processor alone."""

import pytest
import torch

from darkroom.learning import precision
from darkroom.learning.precision import choose_precision, starved_convolution
from darkroom.network.normalized import Normalized
from darkroom.network.zoo import build_network

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2"}, torch.float32),
        ({"avx512_bf16"}, torch.bfloat16),
        ({"amx_bf16"}, torch.bfloat16),
        (set(), torch.float32),
    ],
)
def test_auto_takes_what_the_processor_has(
    flags: set[str], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert choose_precision("auto", CPU)[0] is expected
    assert choose_precision("float32", CPU)[0] is torch.float32
    assert choose_precision("bfloat16", CPU)[0] is torch.bfloat16


@pytest.mark.parametrize(
    ("name", "size", "starved"), [("resnet18", 8, True), ("resnet18", 28, False), ("simple_cnn", 8, False)]
)
def test_convolutions_whose_bfloat16_gradients_are_wrong_are_found(name: str, size: int, starved: bool) -> None:
    network = build_network(name, {"filters": 8, "depth": 3, "dropout": 0.0}, 3, 1, size)
    found = starved_convolution(Normalized(network, [0.5], [0.5]), torch.zeros(1, size, size, 1, dtype=torch.uint8))
    assert (found is not None) == starved
    assert not starved or found == "a 3 x 3 convolution with stride 2 over pictures 1 wide"
