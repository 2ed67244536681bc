"""The limits of the certificate: exact for the float graph, and for INT8 what few images can really tell."""

import numpy as np
import pytest

from darkroom.bundle import FLOAT_GRAPH, INT8_GRAPH
from darkroom.compression.certificate import require_parity
from darkroom.compression.parity import Parity
from darkroom.compression.replay import Evaluated
from darkroom.errors import DarkroomError


def parity(images: int, differ: float = 0.0, largest: float = 0.0) -> Parity:
    return Parity(images, largest, 0, 0.0, differ, images, images, 0, 0)


def replayed(images: int) -> Evaluated:
    nothing = np.zeros(0, dtype=np.uint8)
    return Evaluated(images, ["cat/a.png"] * images, [], nothing, nothing.astype(np.int64), nothing.astype(np.float32))


@pytest.mark.parametrize(("images", "differ", "passes"), [(15, 1 / 15, True), (15, 4 / 15, False), (10_000, 0.021, True),
                                                          (10_000, 0.03, False), (10_000, 0.0, True)])  # fmt: skip
def test_int8_stops_only_where_the_images_are_enough_to_tell(images: int, differ: float, passes: bool) -> None:
    found = {FLOAT_GRAPH: parity(images), INT8_GRAPH: parity(images, differ)}
    if passes:
        require_parity(found, replayed(images), 0.001, 0.02)
    else:
        with pytest.raises(DarkroomError, match=r"labels differ on .* allowed .*raise quantize\.min_speedup"):
            require_parity(found, replayed(images), 0.001, 0.02)


@pytest.mark.parametrize("largest", [0.0011, float("nan")])
def test_the_float_graph_has_no_such_leave(largest: float) -> None:
    with pytest.raises(DarkroomError, match="a probability differs by"):
        require_parity({FLOAT_GRAPH: parity(15, largest=largest)}, replayed(15), 0.001, 0.02)
