"""What a graph makes of a picture just before it names a class: the input of its last layer, from the finished file."""

from pathlib import Path

import onnx

from darkroom.inference.session import OUTPUT

LAST_LAYERS = {"Gemm", "MatMul", "MatMulInteger"}
# Between the last layer and the probabilities: bias, temperature, softmax, and the scales of 8 bits.
AFTER = {"Softmax", "Div", "Mul", "Add", "Cast", "QuantizeLinear", "DequantizeLinear"}
# Between the embedding and the last layer of an INT8 graph.
BEFORE = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}


def with_embedding(path: Path) -> tuple[bytes, str | None]:
    """A graph that also gives its embedding.

    Args:
        path: an ONNX file of ours.

    Returns:
        The bytes of the graph, with the embedding as second output, and the embedding's name; None for a network that has no
        fully connected last layer, as one of capsules, and the bytes of the file then.
    """
    graph = onnx.load(path)
    name = embedding_name(graph.graph)
    if name is not None:
        # Without type and shape: the runtime infers both.
        graph.graph.output.append(onnx.ValueInfoProto(name=name))
    return graph.SerializeToString(), name


def embedding_name(graph: onnx.GraphProto) -> str | None:
    """The name of the value that goes into the fully connected last layer, in floating point; None where there is none."""
    makers = {output: node for node in graph.node for output in node.output}
    node = makers.get(OUTPUT)
    while node is not None and node.op_type in AFTER:
        node = makers.get(node.input[0])
    if node is None or node.op_type not in LAST_LAYERS:
        return None
    name: str = node.input[0]
    while name in makers and makers[name].op_type in BEFORE:
        name = makers[name].input[0]
    return name
