"""Search for the calibrator, and for the layers that stay in float: by the distance of INT8 from float on training images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from darkroom.compression.int8 import Int8
from darkroom.compression.ranges import CALIBRATORS
from darkroom.inference.session import probabilities_of
from darkroom.runtime.arrays import Float32s, UInt8s

# Runs of neighbouring layers that are results one by one, and how many of them may stay in float: INT8 with more of them is
# hardly faster than float.
RUNS = 16
MOST_IN_FLOAT = 4
FIRST_RUNS = 2

PLAIN = "minmax"
CLEARLY_LESS = 0.9

DIGITS = 6


@dataclass(frozen=True)
class CalibrationResult:
    """The distance of the predictions of one INT8 form from those of float.

    Attributes:
        moved: the probability that moved to other classes, the mean over the images: the total variation distance. It
            distinguishes forms that predict the same classes.
        agreement: the fraction of images on which both predict the same class.
        images: their number.
    """

    moved: float
    agreement: float
    images: int


def evaluate_form(graph: Path, images: UInt8s, reference: Float32s) -> CalibrationResult:
    """Compare the predictions of a graph with those of float.

    Args:
        graph: an ONNX file.
        images: uint8 [N, S, S, C].
        reference: float32 [N, K], of the float graph on them.
    """
    found = probabilities_of(graph, images)
    moved = np.abs(found.astype(np.float64) - reference).sum(axis=1).mean() / 2
    agreement = np.mean(found.argmax(axis=1) == reference.argmax(axis=1))
    return CalibrationResult(round(float(moved), DIGITS), round(float(agreement), DIGITS), len(images))


def try_calibrators(
    int8: Int8, images: UInt8s, reference: Float32s, folder: Path, enough: float
) -> dict[str, CalibrationResult]:
    """The results of the calibrators; those after `minmax` only where it moves too much, since they take most of the time.

    Args:
        int8, images, reference, folder: as of `evaluate_form`, and a folder for the graphs.
        enough: no other is tried where `minmax` moves no more than this.
    """
    results: dict[str, CalibrationResult] = {}
    for calibrator in CALIBRATORS:
        if results and results[PLAIN].moved <= enough:
            break
        graph = folder / f"{calibrator}.onnx"
        int8.write(graph, calibrator)
        results[calibrator] = evaluate_form(graph, images, reference)
    return results


def best(results: Mapping[str, CalibrationResult]) -> str:
    """The calibrator that moves the predictions least; `minmax`, the plain one, unless another moves them a tenth less."""
    least = min(results, key=lambda calibrator: results[calibrator].moved)
    return least if results[least].moved < CLEARLY_LESS * results[PLAIN].moved else PLAIN


def sensitive_layers(
    int8: Int8, calibrator: str, whole: float, images: UInt8s, reference: Float32s, graph: Path
) -> list[str] | None:
    """The layers that cause most of the error, so that INT8 is closer to float when they stay in float.

    The layers are divided into at most 16 runs of neighbours, and one, two or four runs stay in float: the fewest with which
    all others in 8 bits move the predictions at most half as far as all layers do. The first two runs are tried first:
    what they round, all layers after them get, and they gain the least time from 8 bits. Else each run alone goes into 8 bits,
    and those that move the predictions most are tried.

    Args:
        int8: of the graph.
        calibrator: whose ranges to use.
        whole: how far all layers in 8 bits move the predictions.
        images, reference: see `evaluate_form`.
        graph: the file for each form that is tried; the last one is that of the answer.

    Returns:
        Names of layers, or None when the error is spread over so many that leaving a quarter in float does not halve it.
    """

    def moved(in_float: list[str]) -> float:
        int8.write(graph, calibrator, in_float)
        return evaluate_form(graph, images, reference).moved

    runs = [list(run) for run in np.array_split(int8.layers, min(RUNS, len(int8.layers)))]
    if len(runs) > FIRST_RUNS and moved(_joined(runs[:FIRST_RUNS])) <= whole / 2:
        return _joined(runs[:FIRST_RUNS])
    alone = [
        moved(_joined([other for other in runs if other is not run]))
        for run in tqdm(runs, desc="find sensitive layers", unit="run", disable=None)
    ]
    worst_first = [runs[index] for index in np.argsort(alone)[::-1]]
    count = 1
    while count <= min(MOST_IN_FLOAT, len(runs) - 1):
        in_float = _joined(worst_first[:count])
        if moved(in_float) <= whole / 2:
            return in_float
        count *= 2
    return None


def _joined(runs: list[list[str]]) -> list[str]:
    return [str(layer) for run in runs for layer in run]
