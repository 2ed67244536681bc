"""From a torch module to an ONNX file that needs nothing beside it: uint8 images in, probabilities out."""

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from darkroom.inference.session import INPUT, OUTPUT
from darkroom.model.spec import ModelSpec
from darkroom.runtime.errors import DarkroomError

# The newest opset that torch writes and that tools from 2024 on read.
OPSET = 20

# An ONNX file is a protocol buffer, which holds 2 GiB; some of it goes to the nodes.
LARGEST_BYTES = 2_000_000_000


class Probabilities(nn.Module):
    """A classifier with its temperature and softmax, so that the graph's answers need no further arithmetic."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, images: Tensor) -> Tensor:
        """Calibrated probabilities float32 [N, K] of images uint8 [N, S, S, C]."""
        return torch.softmax(self.model(images) / self.temperature, dim=1)


def export_graph(model: nn.Module, spec: ModelSpec, path: Path, temperature: float) -> None:
    """Write a model as one ONNX file; the same weights give the same bytes.

    The file has the input `images` (uint8 [N, S, S, C]), the output `probabilities` (float32 [N, K]), any number of images
    N, and in its metadata `classes`, `class_hash`, `preprocessing`, `data_version` and `temperature`.

    Args:
        model: in eval mode, on the CPU, from uint8 [N, S, S, C] to logits float32 [N, K], normalisation inside.
        spec: what stands beside its weights.
        path: the file to write.
        temperature: the logits are divided by it before the softmax (Guo et al. 2017); 1 leaves them as they are.

    Raises:
        DarkroomError: when the weights are more than one ONNX file holds.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))
    if size > LARGEST_BYTES:
        raise DarkroomError(
            f"{spec.network} has {size:,} bytes of weights, and one ONNX file holds {LARGEST_BYTES:,}: set train.network "
            "to a smaller network"
        )
    shape = spec.preprocessing
    # Two images: an example of one would be taken for a graph that only ever sees one.
    example = torch.zeros(2, shape.size, shape.size, shape.channels, dtype=torch.uint8)
    with quiet():
        program = torch.onnx.export(
            Probabilities(model, temperature).eval(),
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes={INPUT: {0: torch.export.Dim.DYNAMIC}},
        )
    assert program is not None
    metadata = {
        "classes": json.dumps(spec.classes.names, ensure_ascii=False),
        "class_hash": spec.classes.hash,
        "preprocessing": json.dumps(shape.to_dict()),
        "data_version": spec.data_version,
        "temperature": repr(temperature),
    }
    write_graph(program.model_proto, metadata, path)


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
