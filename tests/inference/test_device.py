"""The rule for bfloat16 looks at the processor alone."""

import pytest
import torch
from torch import nn

from darkroom.inference import device
from darkroom.inference.device import (
    choose_precision,
    convolution_with_wrong_gradients,
    resolve_precision,
    side_by_side,
)
from darkroom.network.load import Normalized
from darkroom.runtime.errors import DarkroomError

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
    monkeypatch.setattr(device, "cpu_flags", lambda: flags)
    assert choose_precision("auto", CPU)[0] is expected
    assert choose_precision("float32", CPU)[0] is torch.float32
    assert choose_precision("bfloat16", CPU)[0] is torch.bfloat16


@pytest.mark.parametrize(("side", "starved"), [(8, True), (28, False)])
def test_convolutions_whose_bfloat16_gradients_are_wrong_are_found(side: int, starved: bool) -> None:
    # The strides of a network that was made for pictures of 224 pixels.
    layers = [nn.Conv2d(1, 4, 7, 2, 3), *(nn.Conv2d(4, 4, 3, 2, 1) for _ in range(3)), nn.Flatten()]
    model, image = Normalized(nn.Sequential(*layers), [0.5], [0.5]), torch.zeros(1, side, side, 1, dtype=torch.uint8)
    found = convolution_with_wrong_gradients(model, image)
    assert (found is not None) == starved
    if starved:
        assert found == "a 3 x 3 convolution with stride 2 over pictures 1 wide"
        assert resolve_precision("auto", CPU, model, image)[0] is torch.float32
        with pytest.raises(DarkroomError, match="whose bfloat16 gradients are wrong"):
            resolve_precision("bfloat16", CPU, model, image)


def test_half_precision_is_for_gpus() -> None:
    model, image = Normalized(nn.Flatten(), [0.5], [0.5]), torch.zeros(1, 8, 8, 1, dtype=torch.uint8)
    with pytest.raises(DarkroomError, match="float16 is for GPUs"):
        resolve_precision("float16", CPU, model, image)


def test_batches_are_divided_among_threads_of_one_and_what_fails_is_raised() -> None:
    seen: list[tuple[list[int], int]] = []
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        side_by_side(lambda starts: seen.append((list(starts), torch.get_num_threads())), range(0, 50, 10), CPU)
        assert sorted(seen) == [([0, 20, 40], 1), ([10, 30], 1)]
        with pytest.raises(ZeroDivisionError):
            side_by_side(lambda starts: print(1 // starts[0]), range(3), CPU)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
