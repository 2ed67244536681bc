"""The format of a bundle: written once, checked whenever it is opened; no torch, no pickle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import onnxruntime
from pydantic import Field

from darkroom.bundle.graph import open_graph, predict_with
from darkroom.images.pixels import read_pixels
from darkroom.model.classes import ClassList, load_classes
from darkroom.model.spec import ModelSpec, Preprocessing, load_spec
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.checked_json import SOME_KEYS, STRICT, read_checked
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
        return read_pixels(data, shape.size, shape.channels, shape.resize, shape.decoder, shape.depth)

    def predict(self, images: UInt8s) -> Float32s:
        """Calibrated probabilities float32 [N, K] of images uint8 [N, S, S, C].

        Raises:
            DarkroomError: when the images have another shape or type, or the graph fails on them.
        """
        shape = (self.preprocessing.size, self.preprocessing.size, self.preprocessing.channels)
        if images.dtype.name != "uint8" or images.shape[1:] != shape or not len(images):
            raise DarkroomError(
                f"{self.folder} takes images as uint8 [N, {', '.join(map(str, shape))}] with N at least 1, and was given "
                f"{images.dtype} {list(images.shape)}"
            )
        return predict_with(self.session, images, len(self.classes), self.folder / self.graph, REMEDY)


def write_facts(folder: Path, spec: ModelSpec, classes: ClassList, calibration: Calibration) -> None:
    """Write what is known of a model beside its graphs: `model.json`, `classes.json`, `calibration.json`."""
    spec.save(folder / SPEC)
    classes.save(folder / CLASSES)
    calibration.save(folder / CALIBRATION)


def seal(folder: Path, serve: str) -> None:
    """Write `bundle.json`, the hashes of all other files in a folder.

    Args:
        folder: with the graphs and all other files of the bundle.
        serve: file name of the graph that predicts by default.
    """
    files = {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.name != INDEX}
    write_json(folder / INDEX, {"format": FORMAT, "serve": serve, "files": files})


def load_bundle(folder: Path, graph: str | None = None, threads: int = 0) -> Bundle:
    """Open a bundle after checking all of it.

    Args:
        folder: what the export stage wrote.
        graph: file name of the graph to open; None opens the default.
        threads: for the work inside one operator; 0 takes one for each physical core.

    Raises:
        DarkroomError: when there is no bundle, when a file is missing, extra or changed (with both hashes), or when its
            parts do not belong together.
    """
    index = _read_index(folder)
    _check_files(folder, index.files)
    graph = graph or index.serve
    if graph not in index.files or not graph.endswith(".onnx"):
        graphs = ", ".join(name for name in index.files if name.endswith(".onnx"))
        raise DarkroomError(f"{folder} holds no graph {graph}: it has {graphs}")
    classes, spec = load_classes(folder / CLASSES, REMEDY), load_spec(folder / SPEC, REMEDY)
    classes.require_same(spec.classes.names, str(folder / SPEC), REMEDY)
    calibration = load_calibration(folder / CALIBRATION, REMEDY)
    session = open_graph(folder / graph, spec, calibration, REMEDY, threads)
    return Bundle(folder, graph, classes, spec.preprocessing, calibration, spec.data_version, session)


def listed_files(folder: Path) -> dict[str, str]:
    """The files that `bundle.json` names, each with its SHA-256 in hex; none but that one needs to be there yet.

    Raises:
        DarkroomError: when it is damaged, or of another format.
    """
    return _read_index(folder).files


@dataclass(frozen=True)
class _Format:
    """The key of `bundle.json` that says how the others are to be read."""

    __pydantic_config__ = SOME_KEYS

    format: int


@dataclass(frozen=True)
class _Index(_Format):
    """`bundle.json`: the graph that predicts, and the SHA-256 of every other file, in hex."""

    __pydantic_config__ = STRICT

    serve: str
    files: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]


def _read_index(folder: Path) -> _Index:
    path = folder / INDEX
    if not folder.is_dir():
        raise DarkroomError(f"there is no bundle folder {folder}: `dvc repro export` makes models/export")
    if not path.is_file():
        raise DarkroomError(f"{folder} is not a bundle, for it holds no {INDEX}: {REMEDY}")
    found = read_checked(path, _Format, REMEDY).format
    if found != FORMAT:
        raise DarkroomError(f"{path} is of format {found!r}, and this version reads format {FORMAT}: {REMEDY}")
    index = read_checked(path, _Index, REMEDY)
    if lacking := sorted(
        {SPEC, CLASSES, CALIBRATION, REFERENCE, SOFTWARE, FLOAT_GRAPH, index.serve} - index.files.keys()
    ):
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
