"""The ranges of the values between layers, learnt from images: what static INT8 rounds by."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import TensorsData, create_calibrator, save_tensors_data
from tqdm import tqdm

from darkroom.inference.session import BATCHES_AT_ONCE, INPUT, open_session
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.cores import operator_threads
from darkroom.runtime.threads import in_order

# The smallest and largest value; all but one in a hundred thousand; the range whose 8-bit values are closest to the
# values themselves (Migacz 2017: "8-bit inference with TensorRT"). ONNX Runtime 1.32 has no calibrator for the least squared
# error.
CALIBRATORS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}

# With ONNX Runtime's default of 128 bins for 128 levels of 8 bits there is only one range to choose, the whole one.
ENTROPY_BINS = 512

# Images at a time and core: all values between layers are in memory together. A few stay in the processor's cache.
BATCH = 4
COUNTED_BATCH = 16

# Percentile and entropy count every value in numpy, some 10 ns each, on one thread: 128 images of 96 pixels, and 32 of large
# ones.
COUNTED_IMAGES, LEAST_COUNTED, COUNTED_PIXELS = 128, 32, 128 * 96**2

# Ranges hardly move from 128 photographs on, and each costs as much as some thirty milliseconds of prediction.
RANGE_PIXELS = 128 * 224**2


def most_calibration_images(size: int) -> int:
    """How many images of `size` pixels set ranges at most: 128 of 224 pixels, 8,192 of 28."""
    return max(1, RANGE_PIXELS // size**2)


def write_ranges(graph: Path, operators: Sequence[str], images: UInt8s, calibrator: str, target: Path) -> None:
    """Run images through a graph and write the ranges of what its operators take and give, in ONNX Runtime's own form.

    Args:
        graph: an ONNX file that `quant_pre_process` prepared.
        operators: types of the operators that will be in 8 bits.
        images: uint8 [N, S, S, C]; percentile and entropy take an even sample of 32 to 128, by their size.
        calibrator: a key of `CALIBRATORS`.
        target: the JSON file to write, which `quantize_static` takes as `calibration_cache_path`.
    """
    if calibrator == "minmax":
        save_tensors_data(_smallest_and_largest(graph, operators, images), target)
        return
    by_size = max(LEAST_COUNTED, COUNTED_PIXELS // images.shape[1] ** 2)
    count = min(len(images), COUNTED_IMAGES, by_size)
    images = images[np.arange(count) * len(images) // count]
    method = CALIBRATORS[calibrator]
    # ONNX Runtime prints its progress on stdout.
    with redirect_stdout(io.StringIO()):
        options = {"num_bins": ENTROPY_BINS} if method is CalibrationMethod.Entropy else {}
        watched = create_calibrator(graph, operators, str(target.with_suffix(".onnx")), method, extra_options=options)
        for start in tqdm(
            range(0, count, COUNTED_BATCH), desc=f"calibrate by {calibrator}", unit="batch", disable=None
        ):
            # One batch a call: the calibrators keep all values of a call in memory.
            watched.collect_data(_Once(np.ascontiguousarray(images[start : start + COUNTED_BATCH])))
        save_tensors_data(watched.compute_data(), target)


def _smallest_and_largest(graph: Path, operators: Sequence[str], images: UInt8s) -> TensorsData:
    """The ranges by `minmax`. That of ONNX Runtime takes three times as long: it adds nodes to an unoptimised graph."""
    model = onnx.load(graph)
    constant = {tensor.name for tensor in model.graph.initializer}
    floats = {
        value.name
        for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    nodes = [node for node in model.graph.node if node.op_type in operators]
    names = dict.fromkeys(name for node in nodes for name in (*node.input, *node.output) if name in floats - constant)
    given = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    session = open_session(model.SerializeToString(), threads=1)

    def ends(start: int) -> tuple[list[np.float32], list[np.float32]]:
        found = session.run(list(names), {INPUT: np.ascontiguousarray(images[start : start + BATCH])})
        return [values.min() for values in found], [values.max() for values in found]

    low, high = np.full(len(names), np.inf, np.float32), np.full(len(names), -np.inf, np.float32)
    starts = tqdm(range(0, len(images), BATCH), desc="calibrate by minmax", unit="batch", disable=None)
    for least, most in in_order(ends, starts, threads=min(operator_threads(), BATCHES_AT_ONCE)):
        low, high = np.minimum(low, least), np.maximum(high, most)
    ranges = {name: (low[row : row + 1], high[row : row + 1]) for row, name in enumerate(names)}
    return TensorsData(CalibrationMethod.MinMax, ranges)


class _Once(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    """One batch, in the form that ONNX Runtime asks for."""

    def __init__(self, images: UInt8s) -> None:
        self._batches = iter([{INPUT: images}])

    def get_next(self) -> dict[str, UInt8s] | None:
        """The batch, and None after it."""
        return next(self._batches, None)
