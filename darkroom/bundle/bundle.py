"""The format of a bundle: written once, checked whenever it is opened; no torch, no pickle."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from darkroom.images.pixels import read_pixels
from darkroom.inference.session import open_session, probabilities
from darkroom.model.classes import ClassList, load_classes
from darkroom.model.spec import ModelSpec, Preprocessing, load_spec
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash, write_json
from darkroom.statistics.temperature import Calibration, load_calibration

FORMAT = 2
INDEX = "bundle.json"
FLOAT_GRAPH = "model.onnx"
SPEC, CLASSES, CALIBRATION = "model.json", "classes.json", "calibration.json"
REFERENCE, SOFTWARE = "reference.json", "software.json"

REMEDY = "take an unchanged copy, or make it again with `dvc repro export`"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: everything between the bytes of a file and a prediction.

    Attributes:
        folder: where it was read from.
        graph: file name of the graph that predicts.
        classes: output `i` is class `i`.
        preprocessing: from a decoded picture to the array that `predict` takes.
        calibration: below its threshold of confidence the model abstains.
        data_version: of the data that the model was trained on.
        session: of the graph.
    """

    folder: Path
    graph: str
    classes: ClassList
    preprocessing: Preprocessing
    calibration: Calibration
    data_version: str
    session: onnxruntime.InferenceSession

    def pixels(self, data: bytes) -> UInt8s:
        """The array uint8 [S, S, C] that `predict` takes, from the bytes of an image file.

        Raises:
            UnreadableImage: with the reason.
        """
        shape = self.preprocessing
        return read_pixels(data, shape.size, shape.channels, shape.resize, shape.decoder)

    def predict(self, images: UInt8s) -> Float32s:
        """Calibrated probabilities float32 [N, K] of images uint8 [N, S, S, C].

        Raises:
            DarkroomError: when the images have another shape or type.
        """
        shape = (self.preprocessing.size, self.preprocessing.size, self.preprocessing.channels)
        if images.dtype.name != "uint8" or images.shape[1:] != shape or not len(images):
            raise DarkroomError(
                f"{self.folder} takes images as uint8 [N, {', '.join(map(str, shape))}] with N at least 1, and was given "
                f"{images.dtype} {list(images.shape)}"
            )
        return probabilities(self.session, images)


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


def seal(folder: Path, serve: str) -> None:
    """Write `bundle.json`, the hashes of all other files in a folder.

    Args:
        folder: with the graphs and all other files of the bundle.
        serve: file name of the graph that predicts by default.
    """
    files = {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.name != INDEX}
    write_json(folder / INDEX, {"format": FORMAT, "serve": serve, "files": files})


def load_bundle(folder: Path, graph: str | None = None) -> Bundle:
    """Open a bundle after checking all of it.

    Args:
        folder: what the export stage wrote.
        graph: file name of the graph to open; None opens the default.

    Raises:
        DarkroomError: when there is no bundle, when a file is missing, extra or changed (with both hashes), or when its
            parts do not belong together.
    """
    index = _read_index(folder)
    _check_files(folder, index["files"])
    graph = graph or str(index["serve"])
    if graph not in index["files"] or not graph.endswith(".onnx"):
        graphs = ", ".join(name for name in index["files"] if name.endswith(".onnx"))
        raise DarkroomError(f"{folder} holds no graph {graph}: it has {graphs}")
    classes, spec = load_classes(folder / CLASSES), load_spec(folder / SPEC)
    classes.require_same(spec.classes.names, str(folder / SPEC))
    calibration = load_calibration(folder / CALIBRATION)
    session = open_session(folder / graph)
    metadata = session.get_modelmeta().custom_metadata_map
    require_same_model(metadata, spec, calibration, folder / graph)
    if metadata.get("threshold") != json.dumps(calibration.threshold):
        raise DarkroomError(
            f"{folder / graph} was exported with the threshold {metadata.get('threshold')}, and {folder / CALIBRATION} says "
            f"{json.dumps(calibration.threshold)}: {REMEDY}"
        )
    return Bundle(folder, graph, classes, spec.preprocessing, calibration, spec.data_version, session)


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    if not folder.is_dir():
        raise DarkroomError(f"there is no bundle folder {folder}: `dvc repro export` makes models/export")
    if not path.is_file():
        raise DarkroomError(f"{folder} is not a bundle, for it holds no {INDEX}: {REMEDY}")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DarkroomError(f"{path} is damaged ({error}): {REMEDY}") from None
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        found = index.get("format") if isinstance(index, dict) else index
        raise DarkroomError(f"{path} is of format {found!r}, and this version reads format {FORMAT}: {REMEDY}")
    files = index.get("files")
    needed = {SPEC, CLASSES, CALIBRATION, REFERENCE, SOFTWARE, FLOAT_GRAPH, str(index.get("serve"))}
    if not isinstance(files, dict) or not needed <= files.keys():
        lacking = sorted(needed - files.keys()) if isinstance(files, dict) else sorted(needed)
        raise DarkroomError(f"{path} does not name all files of a bundle, but lacks {', '.join(lacking)}: {REMEDY}")
    return index


def _check_files(folder: Path, expected: dict[str, str]) -> None:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()} - {INDEX}
    if missing := sorted(expected.keys() - found):
        raise DarkroomError(f"{folder} lacks {', '.join(missing)}, which {INDEX} names: {REMEDY}")
    if extra := sorted(found - expected.keys()):
        raise DarkroomError(f"{folder} holds {', '.join(extra)}, which {INDEX} does not name: remove it, or {REMEDY}")
    for name, hash_then in expected.items():
        try:
            hash_now = file_hash(folder / name)
        except OSError as error:
            raise DarkroomError(
                f"{folder / name} can't be read: {error.strerror}; fix its permissions, or {REMEDY}"
            ) from None
        if hash_now != hash_then:
            raise DarkroomError(
                f"{folder / name} was changed: its SHA-256 is {hash_now}, and {INDEX} says {hash_then}: {REMEDY}"
            )
