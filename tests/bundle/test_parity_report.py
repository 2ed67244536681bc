"""The limits of parity: exact for float models, and an interval for smaller ones, since few images are weak evidence."""

import numpy as np
import pytest

from darkroom.bundle.bundle import FLOAT_GRAPH
from darkroom.bundle.parity_report import ParityLimits, parity_table, require_parity
from darkroom.bundle.reference_predictions import ReferencePredictions
from darkroom.bundle.tflite import TFLITE, TFLITE_INT8
from darkroom.compression.parity import Parity
from darkroom.runtime.errors import DarkroomError

LIMITS = ParityLimits(probability_difference=0.001, label_disagreement=0.02)
SMALL = "model.pruned.onnx"


def parity(images: int, differ: float = 0.0, largest: float = 0.0) -> Parity:
    return Parity(images, largest, 0, 0.0, differ, images, images, 0, 0)


def reference(images: int) -> ReferencePredictions:
    nothing = np.zeros(0, dtype=np.uint8)
    return ReferencePredictions(
        images, ["cat/a.png"] * images, [], nothing, nothing.astype(np.int64), nothing.astype(np.float32)
    )


@pytest.mark.parametrize(("images", "differ", "passes"), [(15, 1 / 15, True), (15, 4 / 15, False), (10_000, 0.021, True),
                                                          (10_000, 0.03, False), (10_000, 0.0, True)])  # fmt: skip
def test_a_smaller_graph_stops_only_where_the_images_are_enough_to_tell(
    images: int, differ: float, passes: bool
) -> None:
    found = {FLOAT_GRAPH: parity(images), SMALL: parity(images, differ)}
    if passes:
        assert require_parity(found, reference(images), LIMITS) == {}
    else:
        with pytest.raises(DarkroomError, match=rf"{SMALL}: labels differ on .* allowed .*raise quantize\.min_speedup"):
            require_parity(found, reference(images), LIMITS)


@pytest.mark.parametrize("name", [FLOAT_GRAPH, TFLITE])
@pytest.mark.parametrize("largest", [0.0011, float("nan")])
def test_a_float_model_has_no_such_interval(name: str, largest: float) -> None:
    found = {FLOAT_GRAPH: parity(15)} | {name: parity(15, largest=largest)}
    with pytest.raises(DarkroomError, match=f"{name}: a probability differs by"):
        require_parity(found, reference(15), LIMITS)


def test_what_need_not_ship_is_left_out_with_its_reason_and_shown() -> None:
    found = {FLOAT_GRAPH: parity(10_000), TFLITE_INT8: parity(10_000, 0.04)}
    left_out = require_parity(found, reference(10_000), LIMITS)
    assert list(left_out) == [TFLITE_INT8] and "labels differ on 4.00%, 2.00% allowed" in left_out[TFLITE_INT8]
    lines = parity_table(found, reference(10_000), FLOAT_GRAPH, left_out).splitlines()
    assert [line.split()[-1] for line in lines[3:5]] == ["default", "out"]
    assert lines[5] == f"  {TFLITE_INT8} is left out: {left_out[TFLITE_INT8]}"


def test_a_fault_elsewhere_still_stops() -> None:
    found = {FLOAT_GRAPH: parity(10_000, largest=0.5), TFLITE_INT8: parity(10_000, 0.04)}
    with pytest.raises(DarkroomError, match=f"- {FLOAT_GRAPH}") as raised:
        require_parity(found, reference(10_000), LIMITS)
    assert TFLITE_INT8 not in str(raised.value)
