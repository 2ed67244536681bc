"""The conversion to TFLite by processes of their own, and its cache.

The converter needs other package versions than the line (docs/decisions/2026-11-23-tflite.md). The network reaches it as a
`torch.export` program that another process writes, the calibration images as an array.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import distributions, version
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import TemporaryDirectory

import numpy as np

from darkroom.bundle import tflite_converter, tflite_quantizer
from darkroom.bundle.tflite import TFLITE, TFLITE_INT8
from darkroom.bundle.tflite_metadata import add_metadata
from darkroom.compression.int8 import calibration_rows
from darkroom.images.pack import load_packed
from darkroom.model.spec import ModelSpec
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash, read_json, whole_folder, write_json
from darkroom.statistics.temperature import Calibration

CACHE = Path(".darkroom/tflite")
# Newest conversions that stay.
MOST_CACHED = 4
SUMS = "sums.json"

CONVERTER_PACKAGES = ("ai-edge-litert", "ai-edge-quantizer", "litert-torch", "torch")
# Of the line: what the network is made with.
NETWORK_PACKAGES = ("timm", "torch", "torchvision")

REMEDY = "export.tflite=false goes without TFLite"


def converter_versions(environment: Path) -> dict[str, str]:
    """The versions of the converter, by package.

    Args:
        environment: the folder of the converter's packages, as `make converter` makes it.

    Raises:
        DarkroomError: when it is not there, or not all of it.
    """
    folders = [str(folder) for folder in environment.glob("lib/python*/site-packages")]
    found = {name: package.version for name in CONVERTER_PACKAGES for package in distributions(name=name, path=folders)}
    if missing := [name for name in CONVERTER_PACKAGES if name not in found]:
        raise DarkroomError(
            f"export.tflite is on, and {environment} lacks {', '.join(missing)}: `make converter` installs what converts to "
            f"TFLite, or {REMEDY}"
        )
    return found


def convert(
    model: Path,
    spec: ModelSpec,
    temperature: float,
    environment: Path,
    train: Path,
    calibration_images: int,
    cache: Path,
    code: str,
) -> Path:
    """A folder with `model.tflite` (float) and `model.int8.tflite`, from the cache or converted now.

    Both take `images` (uint8 [1, S, S, C]) and give `probabilities` (float32 [1, K]). The same weights and images give the same
    bytes.

    Args:
        model: the folder that train wrote.
        spec: of the model.
        temperature: the logits are divided by it before the softmax.
        environment: the folder of the converter's packages.
        train: the folder with the training images, some of which set the INT8 ranges.
        calibration_images: how many, at most.
        cache: the folder where conversions stay; safe to delete.
        code: the version of the code that converts.

    Raises:
        DarkroomError: when the converter can't convert this network, with the last line of its error.
    """
    packed = load_packed(train)
    images = np.asarray(packed.images[calibration_rows(packed.keys(), calibration_images)])
    facts = {
        "code": code,
        "network": [spec.network, spec.settings, spec.weights, len(spec.classes), spec.preprocessing.to_dict()],
        "weights": file_hash(model / "weights.safetensors"),
        "temperature": temperature,
        "images": [images.shape, hashlib.sha256(images.tobytes()).hexdigest()],
        "packages": {name: version(name) for name in NETWORK_PACKAGES},
        "converter": converter_versions(environment),
    }
    folder = cache / hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    if _is_whole(folder):
        os.utime(folder)
        return folder
    print(f"export: converting {spec.network} to TFLite", flush=True)
    with whole_folder(folder) as partial:
        _convert(model, spec, temperature, images, environment, partial)
        write_json(partial / SUMS, {file: file_hash(partial / file) for file in (TFLITE, TFLITE_INT8)})
    for old in sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST_CACHED]:
        rmtree(old, ignore_errors=True)
    return folder


def write_tflite(source: Path, folder: Path, spec: ModelSpec, calibration: Calibration) -> None:
    """Copy both files with metadata and labels.

    Args:
        source: the folder that `convert` returned.
        folder: to write into.
        spec, calibration: of the model.
    """
    for file in (TFLITE, TFLITE_INT8):
        copyfile(source / file, folder / file)
        add_metadata(folder / file, spec, calibration)


def _is_whole(folder: Path) -> bool:
    """Whether the cache has both files as they were written."""
    if not folder.exists():
        return False
    try:
        sums = read_json(folder / SUMS)
        whole = all(file_hash(folder / file) == sums[file] for file in (TFLITE, TFLITE_INT8))
    except (OSError, ValueError, LookupError, TypeError):
        whole = False
    if not whole:
        print(f"the cache {folder} is damaged: it is made again")
    return whole


def _convert(model: Path, spec: ModelSpec, temperature: float, images: UInt8s, environment: Path, folder: Path) -> None:
    # Isolated: the modules beside the program would be taken for packages of the same name.
    python = [f"{environment}/bin/python", "-I"]
    with TemporaryDirectory() as name:
        program, examples = Path(name) / "network.pt2", Path(name) / "images.npy"
        np.save(examples, images)
        # Started before there is a program to convert: its imports take as long as torch takes to write that.
        with _process([*python, tflite_converter.__file__, str(program), str(folder / TFLITE)]) as converter:
            module = "darkroom.bundle.tflite_program"
            try:
                with _process([sys.executable, "-m", module, str(model), repr(temperature), str(program)]) as writer:
                    _finish(writer, spec, "")
            except BaseException:
                converter.kill()
                raise
            _finish(converter, spec, "the program is written\n")
        arguments = [str(folder / TFLITE), str(examples), str(folder / TFLITE_INT8)]
        with _process([*python, tflite_quantizer.__file__, *arguments]) as quantizer:
            _finish(quantizer, spec, "")


def _process(command: Sequence[str]) -> "subprocess.Popen[str]":
    """A process that finds the code of this repository."""
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), variable("PYTHONPATH")]))
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=os.environ | {"PYTHONPATH": paths},
    )


def _finish(process: "subprocess.Popen[str]", spec: ModelSpec, line: str) -> None:
    """Give a process its line of input, and wait for its end.

    Raises:
        DarkroomError: when it fails.
    """
    _, errors = process.communicate(line)
    if process.returncode:
        lines = errors.strip().splitlines()[-1:] or [f"it ended with status {process.returncode}"]
        raise DarkroomError(f"{spec.network} can't be converted to TFLite: {lines[0]}; {REMEDY}")
