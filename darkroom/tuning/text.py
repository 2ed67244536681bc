"""What is printed about trials."""

import math
from collections.abc import Sequence

from darkroom.tuning.space import Choices, Range, Space, Value
from darkroom.tuning.trial import TrialResult, best_of

# As a fraction of an interval: a value nearer to a bound than this counts as at the bound.
EDGE = 0.02


def space_text(space: Space) -> str:
    """Every dimension, in one line."""
    return "; ".join(f"{name} {dimension_text(dimension)}" for name, dimension in space.items())


def dimension_text(dimension: Range | Choices) -> str:
    if isinstance(dimension, Choices):
        return ", ".join(str(value) for value in dimension.values)
    return f"{dimension.low:g} to {dimension.high:g}" + (", log scale" if dimension.log else "")


def result_text(result: TrialResult) -> str:
    """The result of a trial, in one line."""
    if result.state == "failed" or result.best_epoch is None:
        return f"{result.name}: {result.state}: {result.reason}"
    step, loss, accuracy = result.best_epoch
    scores = f"validation loss {loss:.4f}, accuracy {accuracy:.2%}"
    if result.state == "pruned":
        return f"{result.name}: pruned after epoch {result.epochs[-1][0]}, {scores}"
    return f"{result.name}: {scores}, of epoch {step}"


def progress_text(results: Sequence[TrialResult], target: int, seconds: float) -> str:
    """The best so far, how many are done, and the time left.

    Args:
        results: of all trials.
        target: how many are to end.
        seconds: that one takes.
    """
    ended = sum(result.state != "unfinished" for result in results)
    best = best_of(results)
    lowest = f"lowest loss {best.loss:.4f} of {best.name}; " if best else ""
    left = max(target - ended, 0) * seconds
    about = f", about {duration_text(left)} left" if left else ""
    return f"{lowest}{ended} of {target} done{about}"


def duration_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def at_bounds(space: Space, settings: dict[str, Value]) -> list[str]:
    """The settings that are at a bound of their interval, with the interval: better ones may be beyond."""
    return [
        f"{name}={settings[name]} (of {dimension_text(dimension)})"
        for name, dimension in space.items()
        if isinstance(dimension, Range) and not EDGE < relative_position(dimension, settings[name]) < 1 - EDGE
    ]


def relative_position(dimension: Range, value: Value) -> float:
    """The position of a value in its interval, from 0 to 1, on the scale on which the interval compares values."""
    low, high, found = float(dimension.low), float(dimension.high), float(value)
    if dimension.log:
        return math.log(found / low) / math.log(high / low)
    return (found - low) / (high - low)
