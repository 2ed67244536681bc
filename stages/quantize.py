"""Make the model smaller and faster, as a measured decision.

Reads: models/predict/, models/train/, models/evaluate/calibration.json; images of data/preprocess/, train to
    calibrate, validation to measure, and train, too, where heads of cross-validation were not fitted to them.
Writes: models/quantize/: model.onnx, a model.*.onnx for each candidate, verdict.json; reports/quantize/metrics.json;
and the measured times, which nothing tracks, to reports/timings/quantize_latency.json. `report` draws the page.
Costs: for each candidate some seconds of calibration, the images, and up to ten seconds of measuring; fine-tuning, and torch,
only with quantize.pruning, or where INT8 loses more than quantize.max_accuracy_loss.
"""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.compression.benchmark import LARGE_BATCH, benchmark
from darkroom.compression.calibration_search import best
from darkroom.compression.candidates import Candidates
from darkroom.compression.decision import SelectionLimits, decide, evidence
from darkroom.compression.out_of_fold import open_out_of_fold
from darkroom.compression.scores import CandidateScores, least_loss_high, score_candidates, scores_table
from darkroom.images.pack import load_packed
from darkroom.inference.session import open_session
from darkroom.model.spec import load_spec
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import whole_files, whole_folder, write_json
from darkroom.runtime.paths import ARRAYS, CALIBRATION, MODEL, NETWORK_GRAPH, QUANTIZE_REPORTS, QUANTIZED
from darkroom.runtime.stage import stage, write_timing
from darkroom.settings.base import read_section
from darkroom.settings.quantize import Quantize
from darkroom.statistics.temperature import load_calibration

# What a request costs a busy server; and with one thread, others on the machine disturb the measurement least.
THREADS = 1


def run(
    *,
    model: Path,
    graph: Path,
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
        graph: the network as a graph that gives logits.
        calibration: the file with the temperature.
        arrays: the folder with the arrays of each split.
        out: the folder for the graphs and the decision.
        reports: the folder for the metrics.
        calibration_images: training images that set the INT8 ranges, at most.
        max_accuracy_loss: accuracy that a candidate may lose.
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
    train, validation = load_packed(arrays / "train"), load_packed(arrays / "validation")
    if not (images := len(validation.labels)):
        raise DarkroomError(f"{arrays / 'validation'} holds no image: raise split.validation in params.yaml")
    with TemporaryDirectory() as scratch, whole_folder(out) as folder, whole_files(reports) as report:
        makes = Candidates(model, graph, temperature, train, calibration_images, folder, Path(scratch))
        held_out = open_out_of_fold(model, folder / makes.as_trained().file, train, makes.used, images)
        extra = held_out.images if held_out else 0
        limits = SelectionLimits(max_accuracy_loss, min_speedup, least_loss_high(images + extra), images, extra)
        scores = CandidateScores(makes.as_trained(), makes.float_answers(images), folder, validation, held_out)
        score_candidates(makes, scores, limits, pruning, fine_tune_epochs)
        graphs = {candidate.name: folder / candidate.file for candidate in scores.candidates}
        memory = scores.peak_memories()
        speeds = benchmark(
            {name: open_session(path, THREADS) for name, path in graphs.items()}, validation.images, min_speedup
        )
        decision = decide(scores.measured(speeds), limits)
        content = {
            "choice": decision.choice,
            "graph": graphs[decision.choice].name,
            "reason": decision.reason,
            "candidates": scores.facts(decision.refused),
            "calibrators": {name: asdict(result) for name, result in makes.calibrators.items()},
            "limits": asdict(limits),
            "not_made": "" if limits.can_be_met else f"no better INT8 was made: {limits.too_few} lost",
            "calibrator": best(makes.calibrators),
        }
        write_json(folder / "verdict.json", content)
        write_json(report / "metrics.json", scores.metrics())
    network = load_spec(model / "model.json").network
    print(f"quantize: {network}, {makes.calibration_images:,} images to calibrate, compared on {evidence(limits)}")
    print(scores_table(scores.candidates, scores.numbers, scores.sizes, speeds))
    if content["not_made"]:
        print(f"  {content['not_made']}")
    print(f"  decision: {decision.choice}. {decision.reason}.")
    return {name: asdict(speed) | {"peak_memory": memory[name]} for name, speed in speeds.items()}


def main() -> None:
    with stage("quantize"):
        settings = read_section(Quantize).model_dump()
        begin = partial(run, model=MODEL, graph=NETWORK_GRAPH, calibration=CALIBRATION, arrays=ARRAYS, **settings)
        times = begin(out=QUANTIZED, reports=QUANTIZE_REPORTS)
        write_timing("quantize_latency", {"threads": THREADS, "batch": LARGE_BATCH, "candidates": times})


if __name__ == "__main__":
    main()
