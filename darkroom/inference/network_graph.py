"""The trained network as a graph, which `predict` has torch write once; what stands on it needs no torch.

The graph gives logits. Temperature and softmax are put on it here, by changing the graph.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from darkroom.inference.session import LOGITS, OUTPUT
from darkroom.runtime.inputs import damaged

# In one folder: the graph, and the logits that it gives for the validation images, float32 [N, K].
NETWORK, VALIDATION_LOGITS = "network.onnx", "validation.npy"


def write_float_graph(source: Path, target: Path, temperature: float) -> None:
    """Write the graph of calibrated probabilities; the same graph and temperature give the same bytes.

    Args:
        source: the graph of logits that `predict` wrote.
        target: the file to write, as `darkroom.inference.export.export_graph` would.
        temperature: the logits are divided by it before the softmax (Guo et al. 2017); 1 leaves them as they are.

    Raises:
        DarkroomError: when `source` is no graph.
    """
    try:
        graph = onnx.load(source)
    except DecodeError as error:
        raise damaged(source, str(error)) from None
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    add_softmax(graph, temperature)
    write_graph(graph, metadata | {"temperature": repr(temperature)}, target)


def add_softmax(graph: onnx.ModelProto, temperature: float) -> None:
    """Let a graph that gives logits give probabilities, in place: float32 [N, K] either way."""
    body = graph.graph
    body.initializer.append(numpy_helper.from_array(np.array(temperature, np.float32), "temperature"))
    body.node.append(helper.make_node("Div", [LOGITS, "temperature"], ["scaled_logits"], name="temperature_scaling"))
    body.node.append(helper.make_node("Softmax", ["scaled_logits"], [OUTPUT], name="softmax", axis=1))
    sizes = [size.dim_param or size.dim_value for size in body.output[0].type.tensor_type.shape.dim]
    body.ClearField("output")
    body.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, sizes))


def write_graph(graph: onnx.ModelProto, metadata: Mapping[str, str], path: Path) -> None:
    """Write a graph without what differs between machines or identifies them: stack traces, file names, counted symbols.

    Args:
        graph: changed in place.
        metadata: replaces what the graph has.
        path: the file to write.

    Raises:
        onnx.checker.ValidationError: when the graph is not valid ONNX.
    """
    body = graph.graph
    for part in (graph, body, *body.node, *body.initializer, *body.input, *body.output):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    # Shapes between the nodes carry the exporter's symbols (`s34`); every reader infers them by itself.
    body.ClearField("value_info")
    for tensor in (*body.input, *body.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    used = {node.domain for node in body.node}
    imported = [entry for entry in graph.opset_import if entry.domain in used]
    graph.ClearField("opset_import")
    graph.opset_import.extend(sorted(imported, key=lambda entry: entry.domain))
    onnx.helper.set_model_props(graph, dict(metadata))
    onnx.checker.check_model(graph, full_check=True)
    path.write_bytes(graph.SerializeToString(deterministic=True))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters' warnings, which are about their own insides, off the user's terminal; errors still pass."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
