"""Whether INT8 ships."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Verdict:
    """Which graph ships, and why: in words that hold no measured time, so that two runs say the same."""

    choice: Literal["int8", "float"]
    reason: str


def decide(
    accuracy_loss: float, loss_high: float, max_accuracy_loss: float, fast_enough: bool, min_speedup: float
) -> Verdict:
    """Take INT8 when it is settled that it is both accurate and fast enough, else float.

    Args:
        accuracy_loss: on validation, 0.005 being half a point; negative for a gain.
        loss_high: the upper end of its interval, which is what is held against the limit: a dozen validation images on which
            INT8 loses nothing say little of how much it loses.
        max_accuracy_loss: the most that is allowed.
        fast_enough: whether it is settled that INT8 is `min_speedup` times as fast as float.
        min_speedup: what was asked for.
    """
    verb = "gains" if accuracy_loss < 0 else "loses"
    change = (
        f"{verb} {_points(abs(accuracy_loss))} of validation accuracy, at the most {_number(100 * loss_high)} lost "
        f"({_number(100 * max_accuracy_loss)} allowed)"
    )
    speed = f"at least {min_speedup:g} times as fast as float here"
    accurate = loss_high <= max_accuracy_loss
    if accurate and fast_enough:
        return Verdict("int8", f"INT8 is {speed} and {change}")
    faults = [] if accurate else [change]
    faults += [] if fast_enough else [f"is not {speed}"]
    return Verdict("float", f"INT8 {' and '.join(faults)}")


def _points(share: float) -> str:
    text = _number(100 * share)
    return f"{text} point" if text == "1" else f"{text} points"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
