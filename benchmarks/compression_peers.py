"""What `benchmarks.compression` stands beside, in a process of its own: OpenVINO, and its INT8 by nncf.

Reads from a folder `model.onnx`, `calibration.npy` and `images.npy`; writes `<file>.npy`, the probabilities of all images, and
the INT8 graph `openvino.xml` with its `.bin`. Then reads from stdin a contestant a line, and answers with the median
seconds of some calls with one image.
"""

import importlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

FLOAT32, FLOAT, INT8 = "OpenVINO, float32", "OpenVINO, as it chooses", "OpenVINO, nncf INT8"

# What each contestant's answers are kept under.
FILES = {FLOAT32: "openvino_float32", FLOAT: "openvino_float", INT8: "openvino"}

# So many images at a time, where answers are asked for and not times.
BATCH = 100


def quantized(model: Any, images: Any, transformer: bool) -> Any:
    """The network in INT8, by nncf's own default; for transformers by the default that nncf has for them."""
    nncf = importlib.import_module("nncf")
    rows = [images[row : row + 1] for row in range(len(images))]
    kind = nncf.ModelType.TRANSFORMER if transformer else None
    return nncf.quantize(model, nncf.Dataset(rows), subset_size=len(rows), model_type=kind)


def probabilities(compiled: Any, images: Any) -> Any:
    """Float32 [N, K]."""
    parts = [compiled(images[start : start + BATCH])[0] for start in range(0, len(images), BATCH)]
    return np.concatenate(parts)


def call_seconds(compiled: Any, image: Any, calls: int) -> float:
    """The median of some calls, one after the other."""
    request, taken = compiled.create_infer_request(), []
    for _ in range(calls):
        start = time.perf_counter()
        request.infer([image])
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    with redirect_stdout(sys.stderr):
        openvino = importlib.import_module("openvino")
        core = openvino.Core()
        images, calibration = np.load(folder / "images.npy"), np.load(folder / "calibration.npy")
        model = core.read_model(folder / "model.onnx")
        small = quantized(model, calibration, settings["transformer"])
        openvino.save_model(small, folder / "openvino.xml", compress_to_fp16=False)
        one_thread = {"INFERENCE_NUM_THREADS": settings["threads"], "PERFORMANCE_HINT": "LATENCY"}
        forms = {FLOAT32: (model, {"INFERENCE_PRECISION_HINT": "f32"}), FLOAT: (model, {}), INT8: (small, {})}
        compiled = {}
        for name, (network, precision) in forms.items():
            # Answers by all cores, times by as many as ours.
            answers = probabilities(core.compile_model(network, "CPU", precision), images)
            np.save(folder / f"{FILES[name]}.npy", answers)
            compiled[name] = core.compile_model(network, "CPU", precision | one_thread)
    contestants: dict[str, Callable[[], float]] = {
        name: lambda network=network: call_seconds(network, images[:1], settings["calls"])  # type: ignore[misc]
        for name, network in compiled.items()
    }
    print(", ".join(f"{package} {version(package)}" for package in ("openvino", "nncf")), flush=True)
    for line in sys.stdin:
        with redirect_stdout(sys.stderr):
            taken = contestants[line.strip()]()
        print(taken, flush=True)


if __name__ == "__main__":
    main()
