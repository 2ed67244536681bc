"""What a graph tells of itself, so that its one file is enough to use it rightly; read without onnx."""

import json
from collections.abc import Mapping
from pathlib import Path

from darkroom.model.spec import ModelSpec
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import Calibration


def graph_metadata(spec: ModelSpec, calibration: Calibration, weights_sha256: str) -> dict[str, str]:
    """The metadata of a graph that ships; numbers and lists are JSON.

    Args:
        spec: of the model.
        calibration: what validation taught about its confidence.
        weights_sha256: of the file of weights that the model came from, in hex.
    """
    shape = spec.preprocessing
    array = f"[N, {shape.size}, {shape.size}, {shape.channels}]"
    return {
        "network": spec.network,
        "epoch": str(spec.epoch),
        "classes": json.dumps(spec.classes.names, ensure_ascii=False),
        "class_hash": spec.classes.hash,
        "input": f"images: uint8 {array}, {'grey' if shape.channels == 1 else 'RGB'}; resize rule: {shape.resize}",
        "output": f"probabilities: float32 [N, {len(spec.classes)}], calibrated, in the order of classes",
        "preprocessing": json.dumps(shape.to_dict()),
        "temperature": json.dumps(calibration.temperature),
        "threshold": json.dumps(calibration.threshold),
        "target_precision": json.dumps(calibration.target_precision),
        "data_version": spec.data_version,
        "code_version": spec.code_version,
        "weights_sha256": weights_sha256,
    }


def require_same_model(found: Mapping[str, str], spec: ModelSpec, calibration: Calibration, where: Path) -> None:
    """Stop unless a graph is of this model: made for its classes, its preprocessing and its temperature.

    Args:
        found: the metadata of the graph.
        spec: of the model.
        calibration: of the model.
        where: the file of the graph.

    Raises:
        DarkroomError: naming what differs, with both values.
    """
    needed = ("classes", "class_hash", "preprocessing", "temperature")
    if missing := [key for key in needed if key not in found]:
        raise DarkroomError(
            f"{where} is no graph of this line: its metadata lack {', '.join(missing)}; run `dvc repro`"
        )
    if found["class_hash"] != spec.classes.hash:
        spec.classes.require_same(json.loads(found["classes"]), str(where))
    expected = json.dumps(spec.preprocessing.to_dict())
    if json.loads(found["preprocessing"]) != json.loads(expected):
        raise DarkroomError(
            f"{where} was exported with the preprocessing {found['preprocessing']}, and the model's is {expected}: run "
            "`dvc repro`"
        )
    if json.loads(found["temperature"]) != calibration.temperature:
        raise DarkroomError(
            f"{where} was exported with the temperature {found['temperature']}, and the calibration says "
            f"{calibration.temperature}: run `dvc repro`"
        )
