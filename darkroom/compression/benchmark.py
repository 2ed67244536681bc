"""Speed and peak memory of graphs. Speeds are measured in turns, so that what slows the machine slows all of them."""

import math
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
import onnxruntime
from tqdm import tqdm

from darkroom.inference.session import INPUT, OUTPUT, open_session
from darkroom.runtime.arrays import Images, UInt8s
from darkroom.runtime.errors import DarkroomError

CALLS = 4  # of one graph, one after the other, so that its weights are in the cache as they are in service
BLOCK = 12  # rounds between two looks at the intervals: the fewest that have one at this confidence
LEAST_SECONDS = 1.0  # so that a short disturbance is never the whole measurement of a graph that takes microseconds
MOST_SECONDS = 10.0
CONFIDENCE = 0.999  # strict, since the intervals are looked at many times
LARGE_BATCH = 32
LARGE_ROUNDS = 7
LARGE_SECONDS = 0.5  # no further round of large batches after so long


@dataclass(frozen=True)
class Speed:
    """Of one graph.

    Attributes:
        p50_ms: milliseconds for one image, the median.
        p95_ms: the 95th percentile of the same.
        images_per_second: in batches of 32, from the median.
        ratio: how many times as fast as the first graph it is with one image, the median over rounds.
        low, high: the interval of that median.
        rounds: their number.
    """

    p50_ms: float
    p95_ms: float
    images_per_second: float
    ratio: float
    low: float
    high: float
    rounds: int


def benchmark(
    sessions: Mapping[str, onnxruntime.InferenceSession], images: Images, threshold: float
) -> dict[str, Speed]:
    """Measure graphs in turns, until it is clear which of them are `threshold` times as fast as the first.

    Each round times all, in alternating order, and yields one ratio for each. Rounds go on for a second, and then until the
    intervals of all median ratios leave the threshold out, or for ten seconds; a graph whose interval still contains it has
    not been shown to be faster.

    Args:
        sessions: by name, the one to compare the others with first; all with the same number of threads.
        images: uint8 [N, S, S, C], at least one; their content does not matter to the time.
        threshold: the ratio that is asked for.
    """
    one, many = images[:1], np.resize(images[:LARGE_BATCH], (LARGE_BATCH, *images.shape[1:]))
    baseline, *others = sessions
    for session in sessions.values():
        _time(session, one)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    ratios: dict[str, list[float]] = {name: [] for name in sessions}
    intervals: dict[str, tuple[float, float]] = {}
    started, seconds, settled = time.perf_counter(), 0.0, False
    with tqdm(desc="measure one image", unit="round", disable=None) as bar:
        while seconds < LEAST_SECONDS or (not settled and seconds < MOST_SECONDS):
            for _ in range(BLOCK):
                medians = _round(sessions, one, times, reverse=len(ratios[baseline]) % 2 == 1)
                for name, median in medians.items():
                    ratios[name].append(medians[baseline] / median)
                bar.update()
            intervals = {name: median_interval(values, CONFIDENCE) for name, values in ratios.items()}
            settled = not any(intervals[name][0] <= threshold <= intervals[name][1] for name in others)
            seconds = time.perf_counter() - started
    batches = _measure_batches(sessions, many)
    return {
        name: Speed(
            p50_ms=float(np.quantile(times[name], 0.5)) * 1e3,
            p95_ms=float(np.quantile(times[name], 0.95)) * 1e3,
            images_per_second=LARGE_BATCH / batches[name],
            ratio=float(np.median(ratios[name])),
            low=intervals[name][0],
            high=intervals[name][1],
            rounds=len(ratios[name]),
        )
        for name in sessions
    }


def _round(
    sessions: Mapping[str, onnxruntime.InferenceSession], image: UInt8s, times: dict[str, list[float]], reverse: bool
) -> dict[str, float]:
    """Time each graph `CALLS` times; add the times, in seconds, to `times` and return their medians."""
    medians = {}
    for name in reversed(list(sessions)) if reverse else sessions:
        calls = [_time(sessions[name], image) for _ in range(CALLS)]
        times[name] += calls
        medians[name] = float(np.median(calls))
    return medians


def _measure_batches(sessions: Mapping[str, onnxruntime.InferenceSession], images: UInt8s) -> dict[str, float]:
    """The median seconds of each graph for a large batch."""
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for session in sessions.values():
        _time(session, images)
    started = time.perf_counter()
    for _ in tqdm(range(LARGE_ROUNDS), desc=f"measure {LARGE_BATCH} images", unit="round", disable=None):
        for name, session in sessions.items():
            times[name].append(_time(session, images))
        if time.perf_counter() - started > LARGE_SECONDS:
            break
    return {name: float(np.median(values)) for name, values in times.items()}


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


ROOT = Path(__file__).parents[2]
STATUS = Path("/proc/self/status")


def peak_memory(graph: Path, batch: int) -> int:
    """Bytes that a process takes beyond its start to open a graph and to predict one batch, at the peak.

    Args:
        graph: an ONNX file that `darkroom.inference.export.export_graph` wrote.
        batch: how many images at once.

    Raises:
        DarkroomError: when the process fails, with its last line.
    """
    command = [sys.executable, "-m", "darkroom.compression.benchmark", str(graph.resolve()), str(batch)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        raise DarkroomError(f"measuring the memory of {graph.name} ended with status {done.returncode}: {last}")
    return int(done.stdout)


def _peak() -> int:
    """The peak memory of this process, in bytes."""
    if STATUS.exists():
        # On Linux getrusage counts the process that started this one, too.
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _main() -> None:
    graph, batch = sys.argv[1:]
    before = _peak()
    session = open_session(Path(graph), threads=1)
    (images,) = session.get_inputs()
    session.run([OUTPUT], {INPUT: np.zeros((int(batch), *images.shape[1:]), dtype=np.uint8)})
    print(_peak() - before)


if __name__ == "__main__":
    _main()
