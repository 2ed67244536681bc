"""Dynamic INT8: weights in 8 bits ahead of time, the values they meet in 8 bits by the range of the moment."""

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from darkroom.compression.int8 import PRODUCTS, metadata_of, saturates
from darkroom.inference.export import quiet, write_graph


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
