"""How fast two graphs are beside each other: measured in turns, so that what slows the machine slows both."""

import math
import time
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import onnxruntime
from tqdm import tqdm

from darkroom.compression.session import INPUT, OUTPUT
from darkroom.images.pixels import UInt8s

CALLS = 4  # of one graph, one after the other, so that its weights are in the cache as they are in service
BLOCK = 25  # rounds between two looks at the interval
LEAST_SECONDS = 1.0  # so that a short disturbance is never all that is seen of a graph that takes microseconds
MOST_SECONDS = 10.0
CONFIDENCE = 0.999  # strict, since the interval is looked at many times
LARGE_BATCH = 32
LARGE_ROUNDS = 7


@dataclass(frozen=True)
class Speed:
    """Of one graph.

    Attributes:
        p50_ms: milliseconds for one image, the median.
        p95_ms: likewise, the 95th percentile.
        images_per_second: in batches of 32, from the median.
    """

    p50_ms: float
    p95_ms: float
    images_per_second: float


@dataclass(frozen=True)
class Race:
    """Two graphs beside each other.

    Attributes:
        baseline, candidate: their speeds.
        ratio: how many times as fast the candidate is with one image, the median over rounds.
        low, high: the interval of that median.
        rounds: how many there were.
    """

    baseline: Speed
    candidate: Speed
    ratio: float
    low: float
    high: float
    rounds: int


def race(
    baseline: onnxruntime.InferenceSession, candidate: onnxruntime.InferenceSession, images: UInt8s, threshold: float
) -> Race:
    """Measure two graphs in turns, until it is settled whether the candidate is `threshold` times as fast.

    Each round times both, in alternating order, and yields one ratio. Rounds go on for a second, and then until the
    interval of the median ratio leaves the threshold out, or for ten seconds; a candidate that is still not settled has
    not shown that it is faster.

    Args:
        baseline, candidate: sessions with the same number of threads.
        images: uint8 [N, S, S, C], at least one; what is on them does not matter to the time.
        threshold: the ratio that is asked for.
    """
    one, many = images[:1], np.resize(images, (LARGE_BATCH, *images.shape[1:]))
    sessions = (baseline, candidate)
    for session in sessions:
        _time(session, one)
    times: list[list[float]] = [[], []]
    ratios: list[float] = []
    started, seconds, settled = time.perf_counter(), 0.0, False
    with tqdm(desc="measure one image", unit="round", disable=None) as bar:
        while seconds < LEAST_SECONDS or (not settled and seconds < MOST_SECONDS):
            for _ in range(BLOCK):
                medians = _round(sessions, one, times, reverse=len(ratios) % 2 == 1)
                ratios.append(medians[0] / medians[1])
                bar.update()
            low, high = median_interval(ratios, CONFIDENCE)
            settled = not low <= threshold <= high
            seconds = time.perf_counter() - started
    batches = _measure_batches(sessions, many)
    speeds = [
        Speed(
            p50_ms=float(np.quantile(times[k], 0.5)) * 1e3,
            p95_ms=float(np.quantile(times[k], 0.95)) * 1e3,
            images_per_second=LARGE_BATCH / batches[k],
        )
        for k in (0, 1)
    ]
    return Race(speeds[0], speeds[1], float(np.median(ratios)), low, high, len(ratios))


def _round(
    sessions: tuple[onnxruntime.InferenceSession, ...], image: UInt8s, times: list[list[float]], reverse: bool
) -> list[float]:
    """Time each graph `CALLS` times; add the times, in seconds, to `times` and return their medians."""
    medians = [0.0, 0.0]
    for k in (1, 0) if reverse else (0, 1):
        calls = [_time(sessions[k], image) for _ in range(CALLS)]
        times[k] += calls
        medians[k] = float(np.median(calls))
    return medians


def _measure_batches(sessions: tuple[onnxruntime.InferenceSession, ...], images: UInt8s) -> list[float]:
    """The median seconds of each graph for a large batch."""
    times: list[list[float]] = [[], []]
    for session in sessions:
        _time(session, images)
    for _ in tqdm(range(LARGE_ROUNDS), desc=f"measure {LARGE_BATCH} images", unit="round", disable=None):
        for k in (0, 1):
            times[k].append(_time(sessions[k], images))
    return [float(np.median(values)) for values in times]


def _time(session: onnxruntime.InferenceSession, images: UInt8s) -> float:
    started = time.perf_counter()
    session.run([OUTPUT], {INPUT: images})
    return time.perf_counter() - started


def median_interval(values: list[float], confidence: float) -> tuple[float, float]:
    """The interval of a median from the order of the values alone, whatever their distribution.

    Its ends are the values whose ranks lie z·√n/2 below and above the middle (Conover: "Practical Nonparametric
    Statistics", 3rd ed. 1999, section 3.2).

    Args:
        values: at least one; of fewer than some eleven the interval is from the least to the largest at 0.999.
        confidence: 0.999 for 99.9%.
    """
    ordered, n = sorted(values), len(values)
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(n) / 2
    below, above = math.floor(n / 2 - reach), math.ceil(n / 2 + reach)
    return ordered[max(0, below)], ordered[min(n - 1, above)]
