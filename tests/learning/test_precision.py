"""The rule for bfloat16 looks at the processor alone."""

import pytest
import torch

from darkroom.learning import precision
from darkroom.learning.precision import choose_precision

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
