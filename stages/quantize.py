"""Make the model smaller and faster, as a measured decision.

Reads: models/train/, models/evaluate/calibration.json; training images of data/preprocess/ to calibrate and fine-tune on,
validation images to measure accuracy on.
Writes: models/quantize/: model.onnx, a model.*.onnx for each candidate, verdict.json; reports/quantize/metrics.json;
and the measured times, which nothing tracks, to reports/timings/quantize_latency.json. `report` draws the page.
Costs: for each candidate an export of some seconds, the validation images, and up to ten seconds of measuring; fine-tuning
only with quantize.pruning, or where INT8 loses more than quantize.max_accuracy_loss.
"""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.compression.calibration_search import best
from darkroom.compression.candidates import Candidates
from darkroom.compression.comparison import least_loss_high, side_by_side
from darkroom.compression.decision import Limits, decide
from darkroom.compression.latency import LARGE_BATCH, race
from darkroom.compression.memory import peak_memory
from darkroom.compression.scores import Validated
from darkroom.images.pack import load_packed
from darkroom.inference.session import open_session
from darkroom.network.load import load_model
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_files, whole_folder, write_json
from darkroom.runtime.stage import stage, write_timing
from darkroom.settings.base import read_section
from darkroom.settings.quantize import Quantize
from darkroom.statistics.calibration import load_calibration

MODEL, ARRAYS, CALIBRATION = Path("models/train"), Path("data/preprocess"), Path("models/evaluate/calibration.json")
OUT, REPORTS = Path("models/quantize"), Path("reports/quantize")

# What a request costs a busy server; and with one thread, others on the machine disturb the measurement least.
THREADS = 1


def run(
    model: Path,
    calibration: Path,
    arrays: Path,
    out: Path,
    reports: Path,
    calibration_images: int,
    max_accuracy_loss: float,
    min_speedup: float,
    pruning: float,
    fine_tune_epochs: int,
) -> dict[str, dict[str, float]]:
    """Make the candidates, measure them, decide.

    Args:
        model: the folder with the weights and `model.json`.
        calibration: the file with the temperature.
        arrays: the folder with the arrays of each split.
        out: the folder for the graphs and the verdict.
        reports: the folder for the metrics.
        calibration_images: training images that set the INT8 ranges, at most.
        max_accuracy_loss: validation accuracy that a candidate may lose.
        min_speedup: how many times as fast as float a candidate must be, one image at a time.
        pruning: the share of the channels that a pruned candidate does without; 0 makes none.
        fine_tune_epochs: after pruning, and for quantization-aware fine-tuning.

    Returns:
        By candidate, the measured times and the peak memory.

    Raises:
        DarkroomError: when there is no validation image to measure on, the model does not fit into an ONNX file, or it can't
            be pruned as asked.
    """
    temperature = load_calibration(calibration).temperature
    network, spec = load_model(model)
    train, validation = load_packed(arrays / "train"), load_packed(arrays / "validation")
    if not len(validation.labels):
        raise DarkroomError(f"{arrays / 'validation'} holds no image: raise split.validation in params.yaml")
    images = len(validation.labels)
    limits = Limits(max_accuracy_loss, min_speedup, least_loss_high(images), images)
    with TemporaryDirectory() as scratch, whole_folder(out) as folder, whole_files(reports) as report:
        makes = Candidates(network, spec, temperature, train, calibration_images, folder, Path(scratch))
        measured = Validated(makes.as_trained(), folder, validation)
        measured.add(makes.int8())
        measured.add(makes.int8_dynamic())
        if pruning:
            for candidate in makes.pruned(pruning, fine_tune_epochs):
                measured.add(candidate)
        # Better INT8 is worth its time where INT8 loses too much and there are images enough to show that another does not.
        if not measured.any_within(limits) and limits.can_be_met:
            measured.add(makes.int8_mixed())
            if not measured.any_within(limits):
                measured.add(makes.int8_trained(fine_tune_epochs))
        graphs = {candidate.name: folder / candidate.file for candidate in measured.candidates}
        speeds = race(
            {name: open_session(path, THREADS) for name, path in graphs.items()},
            validation.images,
            min_speedup,
        )
        memory = {name: peak_memory(path, LARGE_BATCH) for name, path in graphs.items()}
        verdict = decide(measured.contenders(speeds), limits)
        facts = measured.facts(verdict.refused)
        chosen = graphs[verdict.choice].name
        calibrators = {name: asdict(trial) for name, trial in makes.calibrators.items()}
        told = {"choice": verdict.choice, "graph": chosen, "reason": verdict.reason}
        asked = {"limits": asdict(limits), "calibrator": best(makes.calibrators)}
        write_json(folder / "verdict.json", told | {"candidates": facts, "calibrators": calibrators} | asked)
        write_json(report / "metrics.json", measured.metrics())
    print(f"quantize: {spec.network}, {makes.calibration_images:,} images to calibrate, {limits.images:,} to validate")
    print(side_by_side(measured.candidates, measured.numbers, measured.sizes, speeds))
    print(f"  verdict: {verdict.choice}. {verdict.reason}.")
    return {name: asdict(speed) | {"peak_memory": memory[name]} for name, speed in speeds.items()}


def main() -> None:
    with stage("quantize"):
        params = read_section(Quantize)
        times = run(
            MODEL,
            CALIBRATION,
            ARRAYS,
            OUT,
            REPORTS,
            params.calibration_images,
            params.max_accuracy_loss,
            params.min_speedup,
            params.pruning,
            params.fine_tune_epochs,
        )
        write_timing("quantize_latency", {"threads": THREADS, "batch": LARGE_BATCH, "candidates": times})


if __name__ == "__main__":
    main()
