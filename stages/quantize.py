"""Make the model smaller and faster, as a measured decision.

Reads: models/train/, models/evaluate/calibration.json; images of data/preprocess/, train to calibrate, validation to measure.
Writes: models/quantize/: model.onnx, a model.*.onnx for each candidate, verdict.json; reports/quantize/metrics.json;
and the measured times, which nothing tracks, to reports/timings/quantize_latency.json. `report` draws the page.
Costs: for each candidate an export of some seconds, the validation images, and up to ten seconds of measuring; fine-tuning
only with quantize.pruning, or where INT8 loses more than quantize.max_accuracy_loss.
"""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.compression.benchmark import LARGE_BATCH, benchmark, peak_memory
from darkroom.compression.calibration_search import best
from darkroom.compression.candidates import Candidates
from darkroom.compression.decision import SelectionLimits, decide
from darkroom.compression.scores import CandidateScores, least_loss_high, scores_table
from darkroom.images.pack import load_packed
from darkroom.inference.session import open_session
from darkroom.network.load import load_model
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_files, whole_folder, write_json
from darkroom.runtime.paths import ARRAYS, CALIBRATION, MODEL, QUANTIZE_REPORTS, QUANTIZED
from darkroom.runtime.stage import stage, write_timing
from darkroom.settings.base import read_section
from darkroom.settings.quantize import Quantize
from darkroom.statistics.temperature import load_calibration

# What a request costs a busy server; and with one thread, others on the machine disturb the measurement least.
THREADS = 1


def run(
    *,
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
        out: the folder for the graphs and the decision.
        reports: the folder for the metrics.
        calibration_images: training images that set the INT8 ranges, at most.
        max_accuracy_loss: validation accuracy that a candidate may lose.
        min_speedup: how many times as fast as float a candidate must be, one image at a time.
        pruning: the fraction of the channels that a pruned candidate lacks; 0 makes none.
        fine_tune_epochs: after pruning, and for quantization-aware fine-tuning.

    Returns:
        By candidate, the measured times and the peak memory.

    Raises:
        DarkroomError: when there is no validation image to measure on, the model does not fit into an ONNX file, or it can't
            be pruned as set.
    """
    temperature = load_calibration(calibration).temperature
    network, spec = load_model(model)
    train, validation = load_packed(arrays / "train"), load_packed(arrays / "validation")
    images = len(validation.labels)
    if not images:
        raise DarkroomError(f"{arrays / 'validation'} holds no image: raise split.validation in params.yaml")
    limits = SelectionLimits(max_accuracy_loss, min_speedup, least_loss_high(images), images)
    with TemporaryDirectory() as scratch, whole_folder(out) as folder, whole_files(reports) as report:
        makes = Candidates(network, spec, temperature, train, calibration_images, folder, Path(scratch))
        scores = CandidateScores(makes.as_trained(), folder, validation)
        scores.add(makes.int8())
        scores.add(makes.int8_dynamic())
        if pruning:
            for candidate in makes.pruned(pruning, fine_tune_epochs):
                scores.add(candidate)
        # Better INT8 is worth its time where INT8 loses too much and there are images enough to show that another does not.
        if not scores.any_within(limits) and limits.can_be_met:
            scores.add(makes.int8_mixed())
            if not scores.any_within(limits):
                scores.add(makes.int8_trained(fine_tune_epochs))
        graphs = {candidate.name: folder / candidate.file for candidate in scores.candidates}
        sessions = {name: open_session(path, THREADS) for name, path in graphs.items()}
        speeds = benchmark(sessions, validation.images, min_speedup)
        memory = {name: peak_memory(path, LARGE_BATCH) for name, path in graphs.items()}
        decision = decide(scores.measured(speeds), limits)
        content = {
            "choice": decision.choice,
            "graph": graphs[decision.choice].name,
            "reason": decision.reason,
            "candidates": scores.facts(decision.refused),
            "calibrators": {name: asdict(result) for name, result in makes.calibrators.items()},
            "limits": asdict(limits),
            "calibrator": best(makes.calibrators),
        }
        write_json(folder / "verdict.json", content)
        write_json(report / "metrics.json", scores.metrics())
    print(f"quantize: {spec.network}, {makes.calibration_images:,} images to calibrate, {limits.images:,} to validate")
    print(scores_table(scores.candidates, scores.numbers, scores.sizes, speeds))
    print(f"  decision: {decision.choice}. {decision.reason}.")
    return {name: asdict(speed) | {"peak_memory": memory[name]} for name, speed in speeds.items()}


def main() -> None:
    with stage("quantize"):
        settings = read_section(Quantize).model_dump()
        begin = partial(run, model=MODEL, calibration=CALIBRATION, arrays=ARRAYS, **settings)
        times = begin(out=QUANTIZED, reports=QUANTIZE_REPORTS)
        write_timing("quantize_latency", {"threads": THREADS, "batch": LARGE_BATCH, "candidates": times})


if __name__ == "__main__":
    main()
