"""Static INT8: weights and the values between layers in 8 bits, with ranges learnt from images."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

from darkroom.compression.graph import quiet, write_graph
from darkroom.compression.session import INPUT
from darkroom.images.pixels import UInt8s
from darkroom.seeding import uniform_per_image

PRODUCTS = ("Conv", "Gemm", "MatMul")

# The products, and what stands between two of them without arithmetic of its own. Sums, norms, softmax and gates stay in
# float: in 8 bits they gained at most 6% on ResNet-18, cost as much on DenseNet-121 and MobileNetV2, and tripled the
# largest error of ViT-B/32 (two Zen 5 cores, ONNX Runtime 1.32).
IN_8_BITS = [*PRODUCTS, "Relu", "Clip", "MaxPool"]

# Images at a time: all values between layers are in memory together, since calibration runs the graph unoptimised.
BATCH = 16


def calibration_rows(keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.int64]:
    """Which images to calibrate on: `count` of them by a draw over their ids, or all where there are fewer.

    Args:
        keys: uint64 [N], the ids as numbers.
        count: how many to draw.

    Returns:
        int64, rising. Most of the draw stays as the data grows.
    """
    drawn = np.argsort(uniform_per_image(keys, "calibration"), kind="stable")[:count]
    return np.sort(drawn).astype(np.int64)


def quantize_graph(graph: Path, images: UInt8s, target: Path) -> None:
    """Write the INT8 form of a float graph; the same graph and images give the same bytes.

    Weights are int8 with a scale for each channel, the values between layers uint8, stored as QuantizeLinear and
    DequantizeLinear pairs. Ranges are the smallest and largest value seen (calibration by entropy is known to ruin some
    networks: EfficientNet-Lite0 falls from 75% to 31%). The input, its normalisation, the last product and the softmax
    stay in float, so that probabilities do not come in steps.

    Args:
        graph: an ONNX file that `darkroom.compression.graph.export_graph` wrote.
        images: uint8 [N, S, S, C], to calibrate on; never test images.
        target: the file to write.
    """
    with TemporaryDirectory() as folder, quiet():
        prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(graph, prepared, skip_symbolic_shape=True)
        products = [node.name for node in onnx.load(prepared).graph.node if node.op_type in PRODUCTS]
        quantize_static(
            prepared,
            quantized,
            Calibration(images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=IN_8_BITS,
            nodes_to_exclude=products[-1:],
            per_channel=True,
            reduce_range=saturates(),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        result = onnx.load(quantized)
    metadata = {entry.key: entry.value for entry in onnx.load(graph, load_external_data=False).metadata_props}
    write_graph(result, metadata, target)


class Calibration(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    """Batches of images, in the form that ONNX Runtime asks for."""

    def __init__(self, images: UInt8s) -> None:
        self._images = images
        self._starts = iter(tqdm(range(0, len(images), BATCH), desc="calibrate", unit="batch", disable=None))

    def get_next(self) -> dict[str, UInt8s] | None:
        """The next batch, or None after the last."""
        start = next(self._starts, None)
        return None if start is None else {INPUT: np.ascontiguousarray(self._images[start : start + BATCH])}


def saturates() -> bool:
    """Whether 8-bit products overflow their 16-bit sums on this processor, so that weights must keep to 7 bits.

    True for x86 without the VNNI instructions (ONNX Runtime's own advice in `quantize_static`).
    """
    found = torch.cpu.get_capabilities()
    return found["architecture"] == "x86_64" and not (found["avx512_vnni"] or found["avx_vnni"])
