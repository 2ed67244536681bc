"""Which graph ships, and why the others do not."""

from collections.abc import Mapping
from dataclasses import dataclass

# A candidate gives way to another that loses more only where that one is so many times as fast, with the intervals of both
# apart: else the choice between two of one kind would turn with each measurement.
CLEARLY_FASTER = 1.05


@dataclass(frozen=True)
class MeasuredCandidate:
    """The loss and the speed of a candidate beside float.

    Attributes:
        title: its name for people.
        loss: accuracy that it loses, 0.005 being half a point; negative for a gain.
        loss_high: the upper end of the loss's interval.
        ratio_low, ratio_high: the interval of how many times as fast as float it is.
        out_of_fold: training images on which the loss rests beside the validation images.
    """

    title: str
    loss: float
    loss_high: float
    ratio_low: float
    ratio_high: float
    out_of_fold: int = 0


@dataclass(frozen=True)
class SelectionLimits:
    """The limits for a candidate to be chosen.

    Attributes:
        max_accuracy_loss: accuracy that it may lose.
        min_speedup: how many times as fast as float it must be.
        least_loss_high: the upper end of the loss's interval for one that changes no prediction: what so many images can show
            at best.
        images: validation images.
        out_of_fold: training images that are evidence beside them, by heads that were not fitted to them.
    """

    max_accuracy_loss: float
    min_speedup: float
    least_loss_high: float
    images: int
    out_of_fold: int = 0

    @property
    def can_be_met(self) -> bool:
        """Whether there are images enough to show a loss inside the limit."""
        return self.least_loss_high <= self.max_accuracy_loss

    @property
    def too_few(self) -> str:
        """What so many images can't show, as a sentence without its subject's capital."""
        return f"{evidence(self)} can't show less than {_number(100 * self.least_loss_high)}"


@dataclass(frozen=True)
class Decision:
    """The candidate that ships, and why. The text has no measured time, so that two runs give the same.

    Attributes:
        choice: the name of the candidate.
        reason: of the choice.
        refused: by name, why each of the others does not ship; float among them where another is chosen.
    """

    choice: str
    reason: str
    refused: dict[str, str]


def decide(candidates: Mapping[str, MeasuredCandidate], limits: SelectionLimits) -> Decision:
    """Choose the fastest of the candidates that are shown to be accurate and fast enough, else float.

    The upper end of the loss's interval is compared with the limit: a dozen validation images on which INT8 loses nothing
    say little of how much it loses. Of two that are about as fast, the one that loses less is chosen.
    """
    faults = {name: _faults(candidate, limits) for name, candidate in candidates.items()}
    fit = [name for name in candidates if not faults[name]]
    if not fit:
        reasons = [f"{candidates[name].title} {' and '.join(found)}" for name, found in faults.items()]
        return Decision("float", "; ".join(reasons), {name: " and ".join(found) for name, found in faults.items()})
    faster = {name: _fastest_ahead(name, fit, candidates) for name in fit}
    choice = min((name for name in fit if faster[name] is None), key=lambda name: candidates[name].loss_high)
    chosen = candidates[choice]
    refused = {"float": f"{chosen.title} is faster and inside the limits"}
    for name in candidates:
        if name in fit and name != choice:
            ahead = faster[name]
            refused[name] = "is inside the limits, but " + (
                f"{chosen.title} is about as fast and loses no more" if ahead is None else f"{ahead.title} is faster"
            )
        elif name != choice:
            refused[name] = " and ".join(faults[name])
    return Decision(choice, f"{chosen.title} is {_speed(limits)} and {_change(chosen, limits)}", refused)


def _fastest_ahead(name: str, fit: list[str], candidates: Mapping[str, MeasuredCandidate]) -> MeasuredCandidate | None:
    """The fastest of those that are clearly faster than a candidate; None where none is."""
    bar = CLEARLY_FASTER * candidates[name].ratio_high
    ahead = [candidates[other] for other in fit if candidates[other].ratio_low > bar]
    return max(ahead, key=lambda other: other.ratio_low, default=None)


def _faults(candidate: MeasuredCandidate, limits: SelectionLimits) -> list[str]:
    faults = []
    if not candidate.loss_high <= limits.max_accuracy_loss:
        faults.append(_change(candidate, limits))
    if not candidate.ratio_low > limits.min_speedup:
        faults.append(f"is not {_speed(limits)}")
    return faults


def _change(candidate: MeasuredCandidate, limits: SelectionLimits) -> str:
    verb = "gains" if candidate.loss < 0 else "loses"
    accuracy = f"accuracy on {evidence(limits)}" if candidate.out_of_fold else "validation accuracy"
    too_few = "" if limits.can_be_met else f"; {limits.too_few}"
    return (
        f"{verb} {_points(abs(candidate.loss))} of {accuracy}, at most {_number(100 * candidate.loss_high)} lost "
        f"by its interval ({_number(100 * limits.max_accuracy_loss)} allowed{too_few})"
    )


def evidence(limits: SelectionLimits) -> str:
    """The images that a loss rests on, as text."""
    if limits.out_of_fold:
        return f"{limits.images:,} validation and {limits.out_of_fold:,} out-of-fold training images"
    return f"{limits.images:,} validation images"


def _speed(limits: SelectionLimits) -> str:
    return f"at least {limits.min_speedup:g} times as fast as float here"


def _points(fraction: float) -> str:
    text = _number(100 * fraction)
    return f"{text} point" if text == "1" else f"{text} points"


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
