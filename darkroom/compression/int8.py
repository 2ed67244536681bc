"""INT8 forms of a float graph: static, with ranges learnt from images by calibrators of ONNX Runtime, and dynamic."""

import platform
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from darkroom.compression.ranges import CALIBRATORS, write_ranges
from darkroom.inference.network_graph import quiet, write_graph
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.processor import cpu_flags
from darkroom.runtime.seeding import uniform_per_image

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
    return platform.machine() in ("x86_64", "AMD64") and not cpu_flags() & {"avx512_vnni", "avx_vnni"}


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
