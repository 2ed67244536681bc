"""Which calibrator, and which layers in float: tried on training images, by how far INT8 answers from float."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from darkroom.compression.int8 import Int8
from darkroom.compression.ranges import CALIBRATORS
from darkroom.inference.session import Float32s, open_session, probabilities
from darkroom.runtime.arrays import UInt8s

# Runs of neighbouring layers that are tried one by one, and how many of them may stay in float: INT8 with more of them is
# hardly faster than float.
RUNS = 16
MOST_IN_FLOAT = 4

PLAIN = "minmax"
SURELY_LESS = 0.9

DIGITS = 6


@dataclass(frozen=True)
class Trial:
    """How far the answers of one INT8 form are from those of float.

    Attributes:
        moved: the share of the probability that went to other classes, the mean over the images: the total variation
            distance. It tells forms apart that name the same classes.
        agreement: the share of images on which both name the same class.
        images: how many there were.
    """

    moved: float
    agreement: float
    images: int


def try_out(graph: Path, images: UInt8s, answers: Float32s) -> Trial:
    """Hold a graph against the answers of float.

    Args:
        graph: an ONNX file.
        images: uint8 [N, S, S, C].
        answers: float32 [N, K], of the float graph on them.
    """
    found = probabilities(open_session(graph), images)
    moved = np.abs(found.astype(np.float64) - answers).sum(axis=1).mean() / 2
    agreement = np.mean(found.argmax(axis=1) == answers.argmax(axis=1))
    return Trial(round(float(moved), DIGITS), round(float(agreement), DIGITS), len(images))


def try_calibrators(int8: Int8, images: UInt8s, answers: Float32s, folder: Path) -> dict[str, Trial]:
    """Try every calibrator; see `try_out` for the arguments. `folder` is for the graphs."""
    tried = {}
    for calibrator in CALIBRATORS:
        graph = folder / f"{calibrator}.onnx"
        int8.write(graph, calibrator)
        tried[calibrator] = try_out(graph, images, answers)
    return tried


def best(tried: Mapping[str, Trial]) -> str:
    """The calibrator that moves the answers least; the plain one, `minmax`, unless another moves them a tenth less."""
    least = min(tried, key=lambda calibrator: tried[calibrator].moved)
    return least if tried[least].moved < SURELY_LESS * tried[PLAIN].moved else PLAIN


def sensitive_layers(int8: Int8, calibrator: str, images: UInt8s, answers: Float32s, folder: Path) -> list[str] | None:
    """The layers that cause most of the error, so that INT8 is closer to float when they stay in float.

    The layers are divided into at most 16 runs of neighbours. Each run alone goes into 8 bits; the runs that move the answers
    most stay in float: one, two or four of them, the fewest with which all others in 8 bits move the answers at most half as
    far as all layers do.

    Args:
        int8: of the graph.
        calibrator: whose ranges to use.
        images, answers: see `try_out`.
        folder: for the graphs.

    Returns:
        Names of layers, or None when the error is spread over so many that leaving a quarter in float does not halve it.
    """
    graph = folder / "trial.onnx"

    def moved(in_float: list[str]) -> float:
        int8.write(graph, calibrator, in_float)
        return try_out(graph, images, answers).moved

    whole = moved([])
    runs = [list(run) for run in np.array_split(int8.layers, min(RUNS, len(int8.layers)))]
    alone = [
        moved([layer for other in runs if other is not run for layer in other])
        for run in tqdm(runs, desc="find sensitive layers", unit="run", disable=None)
    ]
    worst_first = [runs[index] for index in np.argsort(alone)[::-1]]
    count = 1
    while count <= min(MOST_IN_FLOAT, len(runs) - 1):
        kept = [str(layer) for run in worst_first[:count] for layer in run]
        if moved(kept) <= whole / 2:
            return kept
        count *= 2
    return None
