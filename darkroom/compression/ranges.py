"""The range of every value between two layers, learnt from images: three calibrators of ONNX Runtime."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
from onnxruntime.quantization.calibrate import create_calibrator, save_tensors_data
from tqdm import tqdm

from darkroom.inference.session import INPUT
from darkroom.runtime.arrays import UInt8s

# The smallest and largest value seen; all but one in a hundred thousand; the range whose 8-bit values resemble the seen
# ones most (Migacz 2017: "8-bit inference with TensorRT"). ONNX Runtime 1.32 has no calibrator for the least squared error.
CALIBRATORS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}

# With ONNX Runtime's default of 128 bins for 128 levels of 8 bits there is only one range to choose, the whole one.
ENTROPY_BINS = 512

# Images at a time: all values between layers are in memory together, since calibration runs the graph unoptimised.
BATCH = 16

# Percentile and entropy count every value in numpy, some 10 ns each: 512 photographs through ResNet-18 would take 25 s.
COUNTED_IMAGES = 128


def write_ranges(graph: Path, operators: Sequence[str], images: UInt8s, calibrator: str, target: Path) -> None:
    """Run images through a graph and write the ranges of what its operators take and give, in ONNX Runtime's own form.

    Args:
        graph: an ONNX file that `quant_pre_process` prepared.
        operators: types of the operators that will be in 8 bits.
        images: uint8 [N, S, S, C]; percentile and entropy take an even sample of 128.
        calibrator: a key of `CALIBRATORS`.
        target: the JSON file to write, which `quantize_static` takes as `calibration_cache_path`.
    """
    method = CALIBRATORS[calibrator]
    count = len(images) if method is CalibrationMethod.MinMax else min(len(images), COUNTED_IMAGES)
    images = images[np.arange(count) * len(images) // count]
    # ONNX Runtime tells of its progress on stdout.
    with redirect_stdout(io.StringIO()):
        options = {"num_bins": ENTROPY_BINS} if method is CalibrationMethod.Entropy else {}
        watched = create_calibrator(graph, operators, str(target.with_suffix(".onnx")), method, extra_options=options)
        for start in tqdm(range(0, count, BATCH), desc=f"calibrate by {calibrator}", unit="batch", disable=None):
            # One batch a call: the calibrators keep all values of a call in memory.
            watched.collect_data(_Once(np.ascontiguousarray(images[start : start + BATCH])))
        save_tensors_data(watched.compute_data(), target)


class _Once(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    """One batch, in the form that ONNX Runtime asks for."""

    def __init__(self, images: UInt8s) -> None:
        self._batches = iter([{INPUT: images}])

    def get_next(self) -> dict[str, UInt8s] | None:
        """The batch, and None after it."""
        return next(self._batches, None)
