"""What the candidate costs beside the champion: the size of its graph, and the time for one image."""

import time

import numpy as np

from darkroom.bundle.bundle import Bundle
from darkroom.compression.benchmark import median_interval
from darkroom.gate.reasons import Reason
from darkroom.gate.sides import Side

# As `quantize` measures: in turns, so that what slows the machine slows both.
CONFIDENCE = 0.999
LEAST_SECONDS, MOST_SECONDS, BLOCK = 0.5, 10.0, 8


def size_check(champion: Side, candidate: Side, most: float) -> Reason:
    """Whether the graph is at most so many times as large as the champion's."""
    before, after = champion.graph_bytes, candidate.graph_bytes
    ratio = after / before
    words = f"The graph has {after / 1e6:,.2f} MB, {ratio:.2f} times the {before / 1e6:,.2f} MB of {champion.title}"
    numbers = {"before": before, "after": after, "ratio": ratio, "at_most": most}
    passed = ratio <= most
    return Reason("size", passed, f"{words}{'' if passed else f', and gate.max_growth allows {most:g}'}.", numbers)


def latency_check(champion: Side, candidate: Side, most: float) -> Reason:
    """Whether the candidate is not shown to take more than so many times as long for one image."""
    ratio, low, high = time_ratio(champion.bundle, candidate.bundle, most)
    words = f"One image takes {ratio:.2f} ({low:.2f} to {high:.2f}) times as long as with {champion.title}"
    numbers = {"ratio": ratio, "low": low, "high": high, "at_most": most}
    passed = low <= most
    return Reason("latency", passed, f"{words}{'' if passed else f', and gate.max_slowdown allows {most:g}'}.", numbers)


def time_ratio(first: Bundle, second: Bundle, threshold: float) -> tuple[float, float, float]:
    """How many times as long the second bundle takes in its graph for one image: the median over rounds, and its interval.

    Rounds go on until the interval leaves the threshold out, or for ten seconds.
    """
    images = [
        np.full((1, bundle.preprocessing.size, bundle.preprocessing.size, bundle.preprocessing.channels), 128, np.uint8)
        for bundle in (first, second)
    ]
    pairs = list(zip((first, second), images, strict=True))
    for bundle, image in pairs:
        bundle.predict(image)
    ratios: list[float] = []
    started = time.perf_counter()
    while True:
        for number in range(BLOCK):
            seconds = [0.0, 0.0]
            for turn in (0, 1) if number % 2 else (1, 0):
                bundle, image = pairs[turn]
                begun = time.perf_counter()
                for _ in range(3):
                    bundle.predict(image)
                seconds[turn] = time.perf_counter() - begun
            ratios.append(seconds[1] / seconds[0])
        low, high = median_interval(ratios, CONFIDENCE)
        passed = time.perf_counter() - started
        if passed > MOST_SECONDS or (passed > LEAST_SECONDS and not low <= threshold <= high):
            return float(np.median(ratios)), low, high
