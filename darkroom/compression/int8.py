"""INT8 forms of a float graph: static, with ranges learnt from images by calibrators of ONNX Runtime, and dynamic."""

import io
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.calibrate import create_calibrator, save_tensors_data
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

from darkroom.inference.network_graph import quiet, write_graph
from darkroom.inference.session import INPUT
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.seeding import uniform_per_image

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
    # ONNX Runtime prints its progress on stdout.
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


PRODUCTS = ("Conv", "Gemm", "MatMul")

# The products, and what stands between two of them without arithmetic of its own. Sums, norms, softmax and gates stay in
# float: in 8 bits they gained at most 6% on ResNet-18, cost as much on DenseNet-121 and MobileNetV2, and tripled the
# largest error of ViT-B/32 (two Zen 5 cores, ONNX Runtime 1.32).
IN_8_BITS = [*PRODUCTS, "Relu", "Clip", "MaxPool"]


def calibration_rows(keys: npt.NDArray[np.uint64], count: int, purpose: str = "calibration") -> npt.NDArray[np.int64]:
    """The images to calibrate on: `count` of them, drawn by their ids, or all where there are fewer.

    Args:
        keys: uint64 [N], the ids as numbers.
        count: how many to draw.
        purpose: distinguishes this draw from others.

    Returns:
        int64, rising. Most of the rows stay as the data grows.
    """
    drawn = np.argsort(uniform_per_image(keys, purpose), kind="stable")[:count]
    return np.sort(drawn).astype(np.int64)


class Int8:
    """The INT8 forms of one float graph. The prepared graph and the ranges are made once for all.

    Weights are int8 with a scale for each channel, the values between layers uint8, stored as QuantizeLinear and
    DequantizeLinear pairs. The input, its normalisation, the last product and the softmax stay in float, so that
    probabilities do not come in steps.
    """

    def __init__(self, graph: Path, images: UInt8s, folder: Path) -> None:
        """Prepare a graph.

        Args:
            graph: an ONNX file that `darkroom.inference.export.export_graph` wrote.
            images: uint8 [N, S, S, C], to calibrate on; never test images.
            folder: for intermediate files; it must outlive this object.
        """
        self._graph, self._images, self._folder = graph, images, folder
        self._prepared = folder / "prepared.onnx"
        with quiet():
            quant_pre_process(graph, self._prepared, skip_symbolic_shape=True)
        nodes = onnx.load(self._prepared, load_external_data=False).graph.node
        *self._layers, self._last = (node.name for node in nodes if node.op_type in PRODUCTS)

    @property
    def layers(self) -> list[str]:
        """The nodes with products that are in 8 bits, in the order of the graph."""
        return list(self._layers)

    def write(self, target: Path, calibrator: str, in_float: Collection[str] = ()) -> None:
        """Write one INT8 form; the same graph and images give the same bytes.

        Args:
            target: the file to write.
            calibrator: `minmax`, `percentile` or `entropy`.
            in_float: those of `layers` that stay in float.
        """
        ranges, quantized = self._folder / f"{calibrator}.json", self._folder / "quantized.onnx"
        with quiet():
            if not ranges.exists():
                write_ranges(self._prepared, IN_8_BITS, self._images, calibrator, ranges)
            quantize_static(
                self._prepared,
                quantized,
                None,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=IN_8_BITS,
                nodes_to_exclude=[*in_float, self._last],
                per_channel=True,
                reduce_range=saturates(),
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CALIBRATORS[calibrator],
                calibration_cache_path=ranges,
            )
            write_graph(onnx.load(quantized), metadata_of(self._graph), target)


def quantize_graph(graph: Path, images: UInt8s, target: Path, calibrator: str = "minmax") -> None:
    """Write the INT8 form of a float graph, as `Int8` does."""
    with TemporaryDirectory() as folder:
        Int8(graph, images, Path(folder)).write(target, calibrator)


def metadata_of(graph: Path) -> dict[str, str]:
    """The metadata of an ONNX file."""
    return {entry.key: entry.value for entry in onnx.load(graph, load_external_data=False).metadata_props}


def saturates() -> bool:
    """Whether 8-bit products overflow their 16-bit sums on this processor, so that weights must keep to 7 bits.

    True for x86 without the VNNI instructions (ONNX Runtime's own advice in `quantize_static`).
    """
    # Imported here: it takes two seconds, and whoever only draws calibration images does without it.
    import torch

    found = torch.cpu.get_capabilities()
    return found["architecture"] == "x86_64" and not (found["avx512_vnni"] or found["avx_vnni"])


def quantize_dynamically(graph: Path, target: Path) -> bool:
    """Write the dynamic INT8 form of a float graph, if it has products that gain from it.

    Those are the products with a matrix of weights (`MatMul`), of which transformers are made; convolutions are slower in
    this form than in float. The last product stays in float, as in static INT8.

    Args:
        graph: an ONNX file that `darkroom.inference.export.export_graph` wrote.
        target: the file to write.

    Returns:
        Whether there was such a product and the file was written.
    """
    with TemporaryDirectory() as folder, quiet():
        prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(graph, prepared, skip_symbolic_shape=True)
        body = onnx.load(prepared).graph
        # A stack of matrices, as capsules have it, has no form with a scale for each channel.
        weights = {tensor.name for tensor in body.initializer if len(tensor.dims) == 2}
        *products, _ = (node for node in body.node if node.op_type in PRODUCTS)
        chosen = [node.name for node in products if node.op_type == "MatMul" and node.input[1] in weights]
        if not chosen:
            return False
        quantize_dynamic(
            prepared,
            quantized,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=chosen,
            per_channel=True,
            reduce_range=saturates(),
            weight_type=QuantType.QInt8,
        )
        write_graph(onnx.load(quantized), metadata_of(graph), target)
    return True
