"""What is printed about trials."""

import math
from collections.abc import Sequence

from darkroom.tuning.outcome import Outcome, best_of
from darkroom.tuning.space import Choices, Range, Space, Value

# Of an interval: nearer to an end than this counts as at the end.
EDGE = 0.02


def told_space(space: Space) -> str:
    """Every dimension, in one line."""
    return "; ".join(f"{name} {told_dimension(dimension)}" for name, dimension in space.items())


def told_dimension(dimension: Range | Choices) -> str:
    if isinstance(dimension, Choices):
        return ", ".join(str(value) for value in dimension.values)
    return f"{dimension.low:g} to {dimension.high:g}" + (", by ratio" if dimension.log else "")


def told_outcome(outcome: Outcome) -> str:
    """How one ended."""
    if outcome.state == "failed" or outcome.best_epoch is None:
        return f"{outcome.name}: {outcome.state}: {outcome.reason}"
    step, loss, accuracy = outcome.best_epoch
    found = f"validation loss {loss:.4f}, accuracy {accuracy:.2%}"
    if outcome.state == "pruned":
        return f"{outcome.name}: pruned after epoch {outcome.epochs[-1][0]}, {found}"
    return f"{outcome.name}: {found}, of epoch {step}"


def told_progress(outcomes: Sequence[Outcome], wanted: int, seconds: float) -> str:
    """The best so far, how many are done, and the time left.

    Args:
        outcomes: of all trials.
        wanted: how many are to end.
        seconds: that one takes.
    """
    ended = sum(outcome.state != "unfinished" for outcome in outcomes)
    best = best_of(outcomes)
    lowest = f"lowest loss {best.loss:.4f} of {best.name}; " if best else ""
    left = max(wanted - ended, 0) * seconds
    about = f", about {told_time(left)} left" if left else ""
    return f"{lowest}{ended} of {wanted} done{about}"


def told_time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def at_an_end(space: Space, settings: dict[str, Value]) -> list[str]:
    """The settings that lie at an end of their interval, with the interval: better ones may lie beyond."""
    return [
        f"{name}={settings[name]} (of {told_dimension(dimension)})"
        for name, dimension in space.items()
        if isinstance(dimension, Range) and not EDGE < share_of(dimension, settings[name]) < 1 - EDGE
    ]


def share_of(dimension: Range, value: Value) -> float:
    """Where a value lies in its interval, from 0 to 1, as the interval compares values."""
    low, high, found = float(dimension.low), float(dimension.high), float(value)
    if dimension.log:
        return math.log(found / low) / math.log(high / low)
    return (found - low) / (high - low)
