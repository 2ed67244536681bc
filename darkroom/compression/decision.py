"""Which graph ships, and why the others do not."""

from collections.abc import Mapping
from dataclasses import dataclass

# A candidate gives way to another that loses more only where that one is so many times as fast, with the intervals of both
# apart: else the choice between two of one kind would turn with each measurement.
SURELY_FASTER = 1.05


@dataclass(frozen=True)
class Contender:
    """What is known of a candidate that is not float.

    Attributes:
        title: its name for people.
        loss: validation accuracy that it loses, 0.005 being half a point; negative for a gain.
        loss_high: the upper end of the loss's interval.
        ratio_low, ratio_high: the interval of how many times as fast as float it is.
    """

    title: str
    loss: float
    loss_high: float
    ratio_low: float
    ratio_high: float


@dataclass(frozen=True)
class Limits:
    """What is asked of a candidate.

    Attributes:
        max_accuracy_loss: validation accuracy that it may lose.
        min_speedup: how many times as fast as float it must be.
        least_loss_high: the upper end of the loss's interval for one that changes no answer: what so many validation images
            can show at best.
        images: validation images.
    """

    max_accuracy_loss: float
    min_speedup: float
    least_loss_high: float
    images: int

    @property
    def can_be_met(self) -> bool:
        """Whether there are images enough to show a loss inside the limit."""
        return self.least_loss_high <= self.max_accuracy_loss


@dataclass(frozen=True)
class Verdict:
    """What ships, and why: in words that hold no measured time, so that two runs say the same.

    Attributes:
        choice: the name of the candidate.
        reason: of the choice.
        refused: by name, why each of the others does not ship; float among them where another is chosen.
    """

    choice: str
    reason: str
    refused: dict[str, str]


def decide(contenders: Mapping[str, Contender], limits: Limits) -> Verdict:
    """Take the fastest of the candidates that are settled to be accurate and fast enough, else float.

    A loss is held against the limit by the upper end of its interval: a dozen validation images on which INT8 loses nothing
    say little of how much it loses. Of two that are about as fast, the one that loses less is taken.
    """
    faults = {name: _faults(contender, limits) for name, contender in contenders.items()}
    fit = [name for name in contenders if not faults[name]]
    if not fit:
        reasons = [f"{contenders[name].title} {' and '.join(found)}" for name, found in faults.items()]
        return Verdict("float", "; ".join(reasons), {name: " and ".join(found) for name, found in faults.items()})
    faster = {name: _fastest_ahead(name, fit, contenders) for name in fit}
    choice = min((name for name in fit if faster[name] is None), key=lambda name: contenders[name].loss_high)
    taken = contenders[choice]
    refused = {"float": f"{taken.title} is faster and inside the limits"}
    for name in contenders:
        if name in fit and name != choice:
            ahead = faster[name]
            refused[name] = "is inside the limits, but " + (
                f"{taken.title} is about as fast and loses no more" if ahead is None else f"{ahead.title} is faster"
            )
        elif name != choice:
            refused[name] = " and ".join(faults[name])
    return Verdict(choice, f"{taken.title} is {_speed(limits)} and {_change(taken, limits)}", refused)


def _fastest_ahead(name: str, fit: list[str], contenders: Mapping[str, Contender]) -> Contender | None:
    """The fastest of those that are surely faster than a candidate; None where none is."""
    bar = SURELY_FASTER * contenders[name].ratio_high
    ahead = [contenders[other] for other in fit if contenders[other].ratio_low > bar]
    return max(ahead, key=lambda other: other.ratio_low, default=None)


def _faults(contender: Contender, limits: Limits) -> list[str]:
    faults = []
    if not contender.loss_high <= limits.max_accuracy_loss:
        faults.append(_change(contender, limits))
    if not contender.ratio_low > limits.min_speedup:
        faults.append(f"is not {_speed(limits)}")
    return faults


def _change(contender: Contender, limits: Limits) -> str:
    verb = "gains" if contender.loss < 0 else "loses"
    return (
        f"{verb} {_points(abs(contender.loss))} of validation accuracy, at the most {_number(100 * contender.loss_high)} "
        f"lost ({_number(100 * limits.max_accuracy_loss)} allowed{_too_few(limits)})"
    )


def _too_few(limits: Limits) -> str:
    if limits.can_be_met:
        return ""
    return f"; {limits.images:,} validation images can show no less than {_number(100 * limits.least_loss_high)}"


def _speed(limits: Limits) -> str:
    return f"at least {limits.min_speedup:g} times as fast as float here"


def _points(share: float) -> str:
    text = _number(100 * share)
    return f"{text} point" if text == "1" else f"{text} points"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
