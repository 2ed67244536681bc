"""TFLite files: written by a converter that has an environment of its own, and run by LiteRT's interpreter.

The converter needs other package versions than the line (docs/decisions/2026-11-23-tflite.md), so it runs as
a process: it reads the network as a `torch.export` program and the calibration images as an array, and writes the files.
"""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-untyped]
from joblib import cpu_count
from torch import Tensor, nn

from darkroom.bundle import tflite_converter, tflite_quantizer
from darkroom.bundle.tflite_metadata import add_metadata
from darkroom.inference.network_graph import quiet
from darkroom.inference.session import INPUT, OUTPUT
from darkroom.model.spec import ModelSpec
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.errors import DarkroomError
from darkroom.statistics.temperature import Calibration

TFLITE, TFLITE_INT8 = "model.tflite", "model.int8.tflite"

CONVERTER_PACKAGES = ("ai-edge-litert", "ai-edge-quantizer", "litert-torch", "torch")

REMEDY = "export.tflite=false goes without TFLite"


class Probabilities(nn.Module):
    """A classifier with its temperature and softmax, whose output has the name that it will have in the file's signature."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """By name, calibrated probabilities float32 [N, K] of images uint8 [N, S, S, C]."""
        return {OUTPUT: torch.softmax(self.model(images) / self.temperature, dim=1)}


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


def write_tflite(
    model: nn.Module, spec: ModelSpec, calibration: Calibration, images: UInt8s, environment: Path, folder: Path
) -> None:
    """Write a model as `model.tflite` (float) and `model.int8.tflite`; the same weights and images give the same bytes.

    Both take `images` (uint8 [1, S, S, C]) and give `probabilities` (float32 [1, K]), and have metadata and labels.

    Args:
        model: in eval mode, on the CPU, from uint8 [N, S, S, C] to logits float32 [N, K], normalisation inside.
        spec: of the model.
        calibration: of the model; the logits are divided by its temperature before the softmax.
        images: uint8 [N, S, S, C], to set the INT8 ranges; never test images.
        environment: of the converter.
        folder: to write the two files into.

    Raises:
        DarkroomError: when the converter can't convert this network, with the last line of its error.
    """
    print(f"export: converting {spec.network} to TFLite (half a minute)", flush=True)
    with TemporaryDirectory() as name:
        program, examples = Path(name) / "network.pt2", Path(name) / "images.npy"
        with quiet():
            # One image at a time: that is what phones run, and what every accelerator of theirs accepts.
            example = torch.from_numpy(np.array(images[:1]))
            network = Probabilities(model, calibration.temperature).eval()
            torch.export.save(torch.export.export(network, (), {INPUT: example}), program)
        np.save(examples, images)
        _run(environment, spec, tflite_converter, program, folder / TFLITE)
        _run(environment, spec, tflite_quantizer, folder / TFLITE, examples, folder / TFLITE_INT8)
    for file in (TFLITE, TFLITE_INT8):
        add_metadata(folder / file, spec, calibration)


def _run(environment: Path, spec: ModelSpec, program: ModuleType, *arguments: Path) -> None:
    # Isolated: the modules beside the program would be taken for packages of the same name.
    command = [f"{environment}/bin/python", "-I", str(program.__file__), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()[-1:] or [f"it ended with status {done.returncode}"]
        raise DarkroomError(f"{spec.network} can't be converted to TFLite: {lines[0]}; {REMEDY}")


class TFLiteSession:
    """An opened TFLite file. It predicts one image at a time, so every core gets an interpreter of its own.

    Args:
        file: that `write_tflite` wrote.
    """

    def __init__(self, file: Path) -> None:
        self._interpreters = [Interpreter(model_path=str(file), num_threads=1) for _ in range(cpu_count())]
        self._runners = [interpreter.get_signature_runner() for interpreter in self._interpreters]

    def predict(self, images: UInt8s) -> Float32s:
        """Probabilities float32 [N, K] of images uint8 [N, S, S, C], N at least 1."""
        chunks = np.array_split(images, len(self._runners))
        with ThreadPoolExecutor(len(self._runners)) as pool:
            results = list(pool.map(_predict, self._runners, chunks))
        return np.concatenate([row for result in results for row in result])


def _predict(runner: object, images: UInt8s) -> list[Float32s]:
    return [runner(**{INPUT: images[row : row + 1]})[OUTPUT] for row in range(len(images))]  # type: ignore[operator]
