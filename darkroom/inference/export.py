"""From a torch module to an ONNX file that needs nothing beside it: uint8 images in, logits or probabilities out."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import nn

from darkroom.inference.network_graph import add_softmax, quiet, write_graph
from darkroom.inference.session import INPUT, LOGITS
from darkroom.model.spec import ModelSpec
from darkroom.runtime.errors import DarkroomError

# The newest opset that torch writes and that tools from 2024 on read.
OPSET = 20

# An ONNX file is a protocol buffer, which holds 2 GiB; some of it goes to the nodes.
LARGEST_BYTES = 2_000_000_000


def export_network(model: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write a model as one ONNX file that gives logits; the same weights give the same bytes.

    The file has the input `images` (uint8 [N, S, S, C]), the output `logits` (float32 [N, K]), any number of images N, and in
    its metadata `classes`, `class_hash`, `preprocessing` and `data_version`.

    Args:
        model: in eval mode, on the CPU, from uint8 [N, S, S, C] to logits float32 [N, K], normalisation inside.
        spec: what stands beside its weights.
        path: the file to write.

    Raises:
        DarkroomError: when the weights are more than one ONNX file holds.
    """
    write_graph(_exported(model, spec), _metadata(spec), path)


def export_graph(model: nn.Module, spec: ModelSpec, path: Path, temperature: float) -> None:
    """As `export_network`, but for the output `probabilities` and the entry `temperature`.

    For networks that were changed after the training; the trained one is exported once
    (`darkroom.inference.network_graph.write_float_graph`).

    Args:
        model, spec, path: as for `export_network`.
        temperature: the logits are divided by it before the softmax (Guo et al. 2017); 1 leaves them as they are.
    """
    graph = _exported(model, spec)
    add_softmax(graph, temperature)
    write_graph(graph, _metadata(spec) | {"temperature": repr(temperature)}, path)


def _exported(model: nn.Module, spec: ModelSpec) -> onnx.ModelProto:
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))
    if size > LARGEST_BYTES:
        raise DarkroomError(
            f"{spec.network} has {size:,} bytes of weights, and one ONNX file holds {LARGEST_BYTES:,}: set train.network "
            "to a smaller network"
        )
    shape = spec.preprocessing
    # Two images: an example of one would be taken for a graph that only ever sees one.
    example = torch.zeros(2, shape.size, shape.size, shape.channels, dtype=torch.uint8)
    with quiet(), without_inplace(model):
        program = torch.onnx.export(
            model.eval(),
            (example,),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[LOGITS],
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        )
    assert program is not None
    return program.model_proto


def _metadata(spec: ModelSpec) -> dict[str, str]:
    return {
        "classes": json.dumps(spec.classes.names, ensure_ascii=False),
        "class_hash": spec.classes.hash,
        "preprocessing": json.dumps(spec.preprocessing.to_dict()),
        "data_version": spec.data_version,
    }


@contextmanager
def without_inplace(model: nn.Module) -> Iterator[None]:
    """While the block lasts, no activation overwrites its input: the same values.

    `torch.export` takes an activation in place apart into arithmetic on symbolic sizes: an export of EfficientNet-Lite0 took
    11.5 s with its 32 of them, and 6.2 s without (one core).
    """
    changed = [module for module in model.modules() if getattr(module, "inplace", False) is True]
    for module in changed:
        module.inplace = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in changed:
            module.inplace = True  # type: ignore[assignment]
