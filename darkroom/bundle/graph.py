"""The graph of a bundle: its metadata, and the proof that it is of this model and runs."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime

from darkroom.inference.session import GRAPH_ERRORS, INPUT, OUTPUT, open_session, probabilities
from darkroom.model.spec import ModelSpec
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.checked_json import check_json
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.text import printable
from darkroom.statistics.temperature import Calibration

# Of the sum of the probabilities of an image from 1; INT8 graphs have their softmax in float.
SUM_TOLERANCE = 1e-3


def graph_metadata(spec: ModelSpec, calibration: Calibration, weights_sha256: str) -> dict[str, str]:
    """The metadata of a graph in a bundle, enough to use its one file correctly; numbers and lists are JSON.

    Args:
        spec: of the model.
        calibration: of the model.
        weights_sha256: of the weights file, in hex.
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


def require_same_model(
    found: Mapping[str, str],
    spec: ModelSpec,
    calibration: Calibration,
    where: Path,
    remedy: str = "run `dvc repro`",
) -> None:
    """Stop unless a graph is of this model: made for its classes, its preprocessing and its temperature.

    Args:
        found: the metadata of the graph.
        spec: of the model.
        calibration: of the model.
        where: the file of the graph.
        remedy: what the user can do, for the message.

    Raises:
        DarkroomError: naming what differs, with both values.
    """
    needed = ("classes", "class_hash", "preprocessing", "temperature")
    if missing := [key for key in needed if key not in found]:
        raise DarkroomError(f"{where} is no graph of this line: its metadata lack {', '.join(missing)}; {remedy}")
    names = check_json(found["classes"], tuple[str, ...], f"the metadata entry classes of {where}", remedy)
    spec.classes.require_same(names, str(where), remedy)
    expected = {
        "class_hash": spec.classes.hash,
        "preprocessing": json.dumps(spec.preprocessing.to_dict()),
        "temperature": json.dumps(calibration.temperature),
    }
    for key, value in expected.items():
        if found[key] != value:
            raise DarkroomError(
                f"{where} was exported with the {key} {printable(found[key])}, and the model's is {value}: {remedy}"
            )


def finalize_graph(source: Path, target: Path, spec: ModelSpec, calibration: Calibration, weights: Path) -> None:
    """Copy a graph of quantize with the complete metadata of a bundle; the same inputs give the same bytes.

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
    # Imported here: opening a bundle needs no onnx.
    import onnx

    graph = onnx.load(source)
    require_same_model({entry.key: entry.value for entry in graph.metadata_props}, spec, calibration, source)
    onnx.helper.set_model_props(graph, graph_metadata(spec, calibration, file_hash(weights)))
    onnx.checker.check_model(graph, full_check=True)
    target.write_bytes(graph.SerializeToString(deterministic=True))


def open_graph(
    path: Path, spec: ModelSpec, calibration: Calibration, remedy: str, threads: int = 0
) -> onnxruntime.InferenceSession:
    """Open the graph of a bundle, and prove that it is of this model and runs.

    Args:
        path: the ONNX file.
        spec, calibration: of the bundle.
        remedy: what the user can do, for the message.
        threads: as in `open_session`.

    Raises:
        DarkroomError: when it can't be opened, was made for another model, takes or gives other arrays than the model does, or
            gives no probabilities for a black and a white image.
    """
    try:
        session = open_session(path, threads)
        metadata = session.get_modelmeta().custom_metadata_map
    except GRAPH_ERRORS as error:
        raise DarkroomError(f"{path} can't be opened as a graph ({_reason(error)}): {remedy}") from None
    require_same_model(metadata, spec, calibration, path, remedy)
    if metadata.get("threshold") != json.dumps(calibration.threshold):
        raise DarkroomError(
            f"{path} was exported with the threshold {printable(str(metadata.get('threshold')))}, and the calibration says "
            f"{json.dumps(calibration.threshold)}: {remedy}"
        )
    shape = (spec.preprocessing.size, spec.preprocessing.size, spec.preprocessing.channels)
    _require_arrays(session, shape, len(spec.classes), path, remedy)
    examples = np.stack([np.full(shape, value, np.uint8) for value in (0, 255)])
    predict_with(session, examples, len(spec.classes), path, remedy)
    return session


def _require_arrays(
    session: onnxruntime.InferenceSession, shape: tuple[int, ...], class_count: int, path: Path, remedy: str
) -> None:
    """Stop unless a graph takes images of any number, of this shape, and gives a probability for each class."""
    found = [
        [(each.name, each.type, each.shape) for each in side] for side in (session.get_inputs(), session.get_outputs())
    ]
    expected = [(INPUT, "tensor(uint8)", list(shape)), (OUTPUT, "tensor(float)", [class_count])]
    for direction, arrays, (name, kind, sizes) in zip(("takes", "gives"), found, expected, strict=True):
        fits = [array for array in arrays if array[:2] == (name, kind) and array[2][1:] == sizes]
        # The first size is the number of images, and has a name where any number will do.
        if len(arrays) != 1 or not fits or isinstance(fits[0][2][0], int):
            raise DarkroomError(
                f"{path} {direction} {printable(str(arrays))}, and the model {direction} {name}, {kind} with shape "
                f"{['N', *sizes]}: {remedy}"
            )


def predict_with(
    session: onnxruntime.InferenceSession, images: UInt8s, class_count: int, path: Path, remedy: str
) -> Float32s:
    """Probabilities float32 [N, K] of images uint8 [N, S, S, C], checked.

    Raises:
        DarkroomError: when the graph fails, or gives anything but probabilities.
    """
    try:
        found = probabilities(session, images)
    except GRAPH_ERRORS as error:
        raise DarkroomError(f"{path} fails on images ({_reason(error)}): {remedy}") from None
    # A NaN fails both comparisons.
    if found.shape != (len(images), class_count) or not (
        (found >= 0).all() and (abs(found.sum(axis=1) - 1) < SUM_TOLERANCE).all()
    ):
        raise DarkroomError(
            f"{path} gives no probabilities: for {len(images):,} images and {class_count:,} classes an array of shape "
            f"{list(found.shape)} with values from {found.min(initial=0):.3g} to {found.max(initial=0):.3g}: {remedy}"
        )
    return found


def _reason(error: Exception) -> str:
    """The first line of what the runtime says, without its codes."""
    text = str(error).strip() or type(error).__name__
    return printable(text.splitlines()[0].rpartition(" : ")[2][:300])
