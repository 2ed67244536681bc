"""The bundle that ships: written once, checked whenever it is opened; no torch, no pickle."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime

from darkroom.bundle.graph_metadata import require_same_model
from darkroom.images.pixels import read_pixels
from darkroom.inference.session import Float32s, open_session, probabilities
from darkroom.model.classes import ClassList, load_classes
from darkroom.model.spec import Preprocessing, load_spec
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import write_json
from darkroom.statistics.temperature import Calibration, load_calibration

FORMAT = 2
INDEX = "bundle.json"
FLOAT_GRAPH = "model.onnx"
SPEC, CLASSES, CALIBRATION = "model.json", "classes.json", "calibration.json"
REFERENCE, SOFTWARE = "reference.json", "software.json"

REMEDY = "take an unchanged copy, or make it again with `dvc repro export`"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: everything between the bytes of a file and an answer.

    Attributes:
        folder: where it was read from.
        graph: file name of the graph that answers.
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


def seal(folder: Path, serve: str) -> None:
    """Write `bundle.json` over everything else that lies in a folder.

    Args:
        folder: with the graphs and what else ships.
        serve: file name of the graph that answers.
    """
    files = {path.name: _sha256(path) for path in sorted(folder.iterdir()) if path.name != INDEX}
    write_json(folder / INDEX, {"format": FORMAT, "serve": serve, "files": files})


def load_bundle(folder: Path, graph: str | None = None) -> Bundle:
    """Open a bundle after checking all of it.

    Args:
        folder: what the export stage wrote.
        graph: file name of the graph to open; None opens the one that ships to answer.

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
        hash_now = _sha256(folder / name)
        if hash_now != hash_then:
            raise DarkroomError(
                f"{folder / name} was changed: its SHA-256 is {hash_now}, and {INDEX} says {hash_then}: {REMEDY}"
            )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DarkroomError(f"{path} can't be read: {error.strerror}; mend its permissions, or {REMEDY}") from None
