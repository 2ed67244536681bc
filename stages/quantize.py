"""Make the model smaller and faster, as a measured decision.

Reads: models/train/; training images of data/preprocess/ to calibrate on, validation images to measure accuracy on.
Writes: models/quantize/: model.onnx, model.int8.onnx, verdict.json; reports/quantize/metrics.json; and
reports/timings/quantize_latency.json, which is not tracked.
Costs: an export of some seconds, calibration, the validation images through both graphs, and up to half a minute of measuring.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from darkroom.compression.comparison import accuracy_numbers, side_by_side, times
from darkroom.compression.graph import export_graph
from darkroom.compression.int8 import calibration_rows, quantize_graph
from darkroom.compression.latency import Race, race
from darkroom.compression.parity import compare
from darkroom.compression.session import open_session, probabilities
from darkroom.compression.verdict import decide
from darkroom.errors import DarkroomError
from darkroom.images.packed import load_packed
from darkroom.network.load import load_model
from darkroom.params import read_params
from darkroom.stage import stage, write_timing
from darkroom.writing import whole_folder, write_json

MODEL, ARRAYS = Path("models/train"), Path("data/preprocess")
OUT, REPORTS = Path("models/quantize"), Path("reports/quantize")

# What a request costs a busy server; and with one thread, others on the machine disturb the measurement least.
THREADS = 1


def run(
    model: Path,
    arrays: Path,
    out: Path,
    reports: Path,
    calibration_images: int,
    max_accuracy_loss: float,
    min_speedup: float,
) -> Race:
    """Export the model, quantize it, measure both, decide.

    Args:
        model: the folder with the weights and `model.json`.
        arrays: the folder with the arrays of each split.
        out: the folder for the graphs and the verdict.
        reports: the folder for the metrics.
        calibration_images: training images that set the INT8 ranges, at most.
        max_accuracy_loss: validation accuracy that INT8 may lose.
        min_speedup: how many times as fast as float INT8 must be, one image at a time.

    Returns:
        The measured speeds of float and INT8.

    Raises:
        DarkroomError: when there is no validation image to measure on, or the model does not fit into an ONNX file.
    """
    network, spec = load_model(model)
    train, validation = load_packed(arrays / "train"), load_packed(arrays / "validation")
    if not len(validation.labels):
        raise DarkroomError(f"{arrays / 'validation'} holds no image: raise split.validation in params.yaml")
    with whole_folder(out) as folder, whole_folder(reports) as report:
        paths = (folder / "model.onnx", folder / "model.int8.onnx")
        export_graph(network, spec, paths[0])
        rows = calibration_rows(train.keys(), calibration_images)
        quantize_graph(paths[0], np.asarray(train.images[rows]), paths[1])
        before, after = (probabilities(open_session(path), validation.images, "validate") for path in paths)
        parity = compare(before, after, validation.labels)
        baseline, candidate = (open_session(path, THREADS) for path in paths)
        speeds = race(baseline, candidate, validation.images, min_speedup)
        numbers = accuracy_numbers(parity)
        verdict = decide(
            parity.accuracy_loss,
            numbers["accuracy_loss_high"],
            max_accuracy_loss,
            speeds.low > min_speedup,
            min_speedup,
        )
        sizes = tuple(path.stat().st_size for path in paths)
        write_json(folder / "verdict.json", asdict(verdict) | {"validation": numbers})
        write_json(report / "metrics.json", {"validation": numbers, "bytes": {"float": sizes[0], "int8": sizes[1]}})
    print(f"quantize: {spec.network}, {len(rows):,} images to calibrate, {parity.images:,} to validate")
    print(side_by_side(numbers, sizes, speeds))
    print(f"  verdict: {verdict.choice}. {verdict.reason}.")
    return speeds


def main() -> None:
    with stage("quantize"):
        params = read_params().quantize
        speeds = run(
            MODEL, ARRAYS, OUT, REPORTS, params.calibration_images, params.max_accuracy_loss, params.min_speedup
        )
        write_timing("quantize_latency", times(speeds, THREADS))


if __name__ == "__main__":
    main()
