"""The conversion to TFLite by processes of their own, and its cache.

The converter needs other package versions than the line (docs/decisions/2026-11-23-tflite.md). The network reaches it as a
`torch.export` program, the calibration images as an array. `predict` fills the cache beside its own work; `export` finds the
files there, or converts.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import distributions, version
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import TemporaryDirectory

import numpy as np

from darkroom.bundle import tflite_converter, tflite_quantizer
from darkroom.bundle.tflite import TFLITE, TFLITE_INT8
from darkroom.bundle.tflite_metadata import add_metadata, divide_logits, read_file, write_file
from darkroom.compression.int8 import calibration_rows
from darkroom.images.pack import load_packed
from darkroom.model.spec import ModelSpec, load_spec
from darkroom.runtime.closure import Code
from darkroom.runtime.environment import variable
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash, read_json, whole_folder, write_json
from darkroom.statistics.temperature import Calibration

CONVERTER = Path(variable("VENV_TFLITE") or ".venv-tflite")  # as in the Makefile
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


class Conversion:
    """The two files of a trained network, `model.tflite` (float) and `model.int8.tflite`: from the cache, or converted beside
    other work.

    Both take `images` (uint8 [1, S, S, C]) and give `probabilities` (float32 [1, K]), not calibrated yet: neither a temperature
    nor a threshold asks for another conversion. The same weights and images give the same bytes.

    As a context it ends the processes that it started, whatever happens inside.
    """

    def __init__(
        self, model: Path, environment: Path, train: Path, calibration_images: int, cache: Path, code: str | None = None
    ) -> None:
        """Start the converter, which first imports what it needs, unless the cache has the files.

        Args:
            model: the folder that train wrote.
            environment: the folder of the converter's packages.
            train: the folder with the training images, some of which set the INT8 ranges.
            calibration_images: how many, at most.
            cache: the folder where conversions stay; safe to delete.
            code: the version of the code that converts; None: that of this repository.

        Raises:
            DarkroomError: when the converter is not installed.
        """
        self._model, self._spec, packed = model, load_spec(model / "model.json"), load_packed(train)
        images = np.asarray(packed.images[calibration_rows(packed.keys(), calibration_images)])
        spec = self._spec
        facts = {
            "code": code or Code().version_of("darkroom/bundle/tflite_conversion.py"),
            "network": [spec.network, spec.settings, spec.weights, len(spec.classes), spec.preprocessing.to_dict()],
            "weights": file_hash(model / "weights.safetensors"),
            "images": [images.shape, hashlib.sha256(images.tobytes()).hexdigest()],
            "packages": {name: version(name) for name in NETWORK_PACKAGES},
            "converter": converter_versions(environment),
        }
        self._folder = cache / hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        self._processes: list[subprocess.Popen[str]] = []
        self._python = [f"{environment}/bin/python", "-I"]
        self._cleanup, self._beside = ExitStack(), ThreadPoolExecutor(1)
        self._found: Future[Path] | None = None
        if _is_whole(self._folder):
            os.utime(self._folder)
            self._found = self._beside.submit(lambda: self._folder)
            return
        self._images, self._scratch = images, Path(self._cleanup.enter_context(TemporaryDirectory()))
        self._program = self._scratch / "network.pt2"
        self._start([*self._python, tflite_converter.__file__, str(self._program), str(self._scratch / TFLITE)])

    def __enter__(self) -> "Conversion":
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed or self._found is None:
            for process in self._processes:
                process.kill()
        self._beside.shutdown()
        for process in self._processes:
            with process:
                pass
        self._cleanup.close()

    def begin(self, write: Callable[[Path], None] | None = None) -> None:
        """Go on beside the caller with the program that the converter reads; nothing where the cache has the files.

        Args:
            write: given a path, writes the network there as a `torch.export` program, before this returns. None: a process
                loads the network and writes it.
        """
        if self._found is None:
            print(f"converting {self._spec.network} to TFLite", flush=True)
            if write:
                write(self._program)
            self._found = self._beside.submit(self._convert, write is not None)

    def folder(self) -> Path:
        """The folder with both files, once they are there.

        Raises:
            DarkroomError: when the converter can't convert this network, with the last line of its error.
        """
        assert self._found is not None
        return self._found.result()

    def _convert(self, written: bool) -> Path:
        """Convert, and put the files into the cache."""
        if not written:
            command = [sys.executable, "-m", "darkroom.bundle.tflite_program", str(self._model), str(self._program)]
            self._finish(self._start(command))
        self._finish(self._processes[0], "the program is written\n")
        examples = self._scratch / "images.npy"
        np.save(examples, self._images)
        arguments = [str(self._scratch / TFLITE), str(examples), str(self._scratch / TFLITE_INT8)]
        self._finish(self._start([*self._python, tflite_quantizer.__file__, *arguments]))
        with whole_folder(self._folder) as partial:
            for file in (TFLITE, TFLITE_INT8):
                copyfile(self._scratch / file, partial / file)
            write_json(partial / SUMS, {file: file_hash(partial / file) for file in (TFLITE, TFLITE_INT8)})
        for old in sorted(self._folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)[:-MOST_CACHED]:
            rmtree(old, ignore_errors=True)
        return self._folder

    def _start(self, command: Sequence[str]) -> "subprocess.Popen[str]":
        """A process that finds the code of this repository."""
        paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), variable("PYTHONPATH")]))
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=os.environ | {"PYTHONPATH": paths},
        )
        self._processes.append(process)
        return process

    def _finish(self, process: "subprocess.Popen[str]", line: str = "") -> None:
        """Give a process its line of input, and wait for its end.

        Raises:
            DarkroomError: when it fails.
        """
        _, errors = process.communicate(line)
        if process.returncode:
            lines = errors.strip().splitlines()[-1:] or [f"it ended with status {process.returncode}"]
            raise DarkroomError(f"{self._spec.network} can't be converted to TFLite: {lines[0]}; {REMEDY}")


def write_tflite(source: Path, folder: Path, spec: ModelSpec, calibration: Calibration) -> None:
    """Write both files with temperature, metadata and labels.

    Args:
        source: the folder with the files as they were converted.
        folder: to write into.
        spec, calibration: of the model.
    """
    for file in (TFLITE, TFLITE_INT8):
        model = read_file(source / file)
        divide_logits(model, calibration.temperature)
        add_metadata(model, spec, calibration)
        write_file(model, folder / file, spec.classes.names)


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
