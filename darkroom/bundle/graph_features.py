"""The features of a finished graph: what goes into its last layer, as a second output."""

from pathlib import Path

import onnx

from darkroom.inference.session import OUTPUT

LAST_LAYERS = {"Gemm", "MatMul", "MatMulInteger"}
# Between the last layer and the probabilities: bias, temperature, softmax, and the scales of 8 bits.
AFTER_LAST = {"Softmax", "Div", "Mul", "Add", "Cast", "QuantizeLinear", "DequantizeLinear"}
# Between the features and the last layer of an INT8 graph.
BEFORE_LAST = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}


def with_features(path: Path) -> tuple[bytes, str | None]:
    """A graph with the input of its last layer, the features, as a second output.

    Args:
        path: an ONNX file of a bundle.

    Returns:
        The bytes of the graph, with the features as second output, and their name; None for a network that has no
        fully connected last layer, as one of capsules, and the bytes of the file then.
    """
    graph = onnx.load(path)
    name = features_name(graph.graph)
    if name is not None:
        # Without type and shape: the runtime infers both.
        graph.graph.output.append(onnx.ValueInfoProto(name=name))
    return graph.SerializeToString(), name


def features_name(graph: onnx.GraphProto) -> str | None:
    """The name of the value that goes into the fully connected last layer, in floating point; None where there is none."""
    producers = {output: node for node in graph.node for output in node.output}
    node = producers.get(OUTPUT)
    while node is not None and node.op_type in AFTER_LAST:
        node = producers.get(node.input[0])
    if node is None or node.op_type not in LAST_LAYERS:
        return None
    name: str = node.input[0]
    while name in producers and producers[name].op_type in BEFORE_LAST:
        name = producers[name].input[0]
    return name
