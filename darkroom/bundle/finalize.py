"""From a graph of quantize to the one that ships: the same arithmetic, and all that a stranger must know in its metadata."""

import hashlib
from pathlib import Path

import onnx

from darkroom.bundle.graph_metadata import graph_metadata, require_same_model
from darkroom.model.spec import ModelSpec
from darkroom.statistics.temperature import Calibration


def ship_graph(source: Path, target: Path, spec: ModelSpec, calibration: Calibration, weights: Path) -> None:
    """Copy a graph and complete its metadata; the same inputs give the same bytes.

    Args:
        source: an ONNX file that quantize wrote.
        target: the file to write.
        spec: of the model.
        calibration: of the model.
        weights: the file that train wrote.

    Raises:
        DarkroomError: when the graph was made for other classes, another preprocessing or another temperature.
        onnx.checker.ValidationError: when it is not valid ONNX.
    """
    graph = onnx.load(source)
    require_same_model({entry.key: entry.value for entry in graph.metadata_props}, spec, calibration, source)
    with weights.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    onnx.helper.set_model_props(graph, graph_metadata(spec, calibration, sha256))
    onnx.checker.check_model(graph, full_check=True)
    target.write_bytes(graph.SerializeToString(deterministic=True))
