"""From a torch module to TFLite files, by a converter that has an environment of its own.

It asks for other versions than the line does (docs/decisions/2026-11-23-tflite.md), so it runs as a process: the network goes
over as a `torch.export` program, the images to calibrate on as an array, and the files come back.
"""

import subprocess
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from darkroom.bundle import tflite_converter, tflite_quantizer
from darkroom.inference.export import Probabilities, quiet
from darkroom.inference.session import INPUT, OUTPUT
from darkroom.model.spec import ModelSpec
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.errors import DarkroomError

TFLITE, TFLITE_INT8 = "model.tflite", "model.int8.tflite"

MAKERS = ("ai-edge-litert", "ai-edge-quantizer", "litert-torch", "torch")

REMEDY = "export.tflite=false goes without TFLite"


class Named(nn.Module):
    """A network whose output has a name, as it will have in the file's signature."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """By name, the probabilities float32 [N, K] of images uint8 [N, S, S, C]."""
        return {OUTPUT: self.model(images)}


def converter_versions(environment: Path) -> dict[str, str]:
    """The versions of what converts, by package.

    Args:
        environment: the folder of the converter's packages, as `make converter` makes it.

    Raises:
        DarkroomError: when it is not there, or not all of it.
    """
    places = [str(place) for place in environment.glob("lib/python*/site-packages")]
    found = {name: package.version for name in MAKERS for package in distributions(name=name, path=places)}
    if missing := [name for name in MAKERS if name not in found]:
        raise DarkroomError(
            f"export.tflite is on, and {environment} lacks {', '.join(missing)}: `make converter` installs what converts to "
            f"TFLite, or {REMEDY}"
        )
    return found


def write_tflite(
    model: nn.Module, spec: ModelSpec, temperature: float, images: UInt8s, environment: Path, folder: Path
) -> None:
    """Write a model as `model.tflite` (float) and `model.int8.tflite`; the same weights and images give the same bytes.

    Both take `images` (uint8 [1, S, S, C]) and give `probabilities` (float32 [1, K]).

    Args:
        model: in eval mode, on the CPU, from uint8 [N, S, S, C] to logits float32 [N, K], normalisation inside.
        spec: what stands beside its weights.
        temperature: the logits are divided by it before the softmax.
        images: uint8 [N, S, S, C], to set the INT8 ranges; never test images.
        environment: of the converter.
        folder: to write the two files into.

    Raises:
        DarkroomError: when the converter can't convert this network, with its last words.
    """
    print(f"export: converting {spec.network} to TFLite (half a minute)", flush=True)
    with TemporaryDirectory() as name:
        program, calibration = Path(name) / "network.pt2", Path(name) / "images.npy"
        with quiet():
            # One image at a time: that is what phones run, and what every accelerator of theirs accepts.
            example = torch.from_numpy(np.array(images[:1]))
            network = Named(Probabilities(model, temperature)).eval()
            torch.export.save(torch.export.export(network, (), {INPUT: example}), program)
        np.save(calibration, images)
        _run(environment, spec, tflite_converter, program, folder / TFLITE)
        _run(environment, spec, tflite_quantizer, folder / TFLITE, calibration, folder / TFLITE_INT8)


def _run(environment: Path, spec: ModelSpec, program: ModuleType, *arguments: Path) -> None:
    # Isolated: our modules lie beside the program, and one of them would be taken for a package of the same name.
    command = [f"{environment}/bin/python", "-I", str(program.__file__), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:] or [f"it ended with status {done.returncode}"]
        raise DarkroomError(f"{spec.network} can't be converted to TFLite: {words[0]}; {REMEDY}")
