"""The charts of a tuning: the history, the losses epoch by epoch, and the loss along each setting."""

from collections.abc import Sequence

from darkroom.drawing.axis import Axis
from darkroom.drawing.chart import Chart, Line, Mark, Points, Rule
from darkroom.drawing.pages import short
from darkroom.tuning.space import Choices, Range
from darkroom.tuning.text import result_text
from darkroom.tuning.trial import TrialResult

# Losses above so many times the lowest are drawn at the upper edge: one trial that learned nothing would press all others flat.
TALLEST = 20
# Beside the outermost dots, as a share of the axis.
MARGIN = 0.03
STYLES = {"best": "accent", "finished": "cold clear", "pruned": "soft hollow"}
NAMES = {"best": "best", "finished": "finished", "pruned": "pruned or failed"}


class TrialCharts:
    """All charts share the axis of the loss, by ratio."""

    def __init__(self, baseline: TrialResult, trials: Sequence[TrialResult], best: TrialResult | None) -> None:
        """`best` is marked, where there is one. At least one epoch ended, and `baseline` has one."""
        self._baseline = baseline
        self._trials = [result for result in trials if result.epochs]
        self._best = best
        losses = [loss for result in (baseline, *self._trials) for _, loss, _ in result.epochs]
        # A loss of 0 has no place by ratio; cross-entropy in float32 comes no nearer.
        low = max(min(losses), 1e-7)
        high = max(min(max(losses), low * TALLEST), low * 1.05)
        self._up = Axis("validation loss", low / 1.05, high * 1.05, log=True)

    def _kind(self, result: TrialResult) -> str:
        if result is self._best:
            return "best"
        return "finished" if result.state == "finished" else "pruned"

    def history(self) -> Chart:
        """The loss of each trial in the order of their numbers, and the lowest so far."""
        last = max((result.number or 0 for result in self._trials), default=0)
        x: list[float] = []
        y: list[float] = []
        for result in self._trials:
            if result.state == "finished" and (not y or result.loss < y[-1]):
                x += [result.number or 0] * (2 if y else 1)
                y += [y[-1], result.loss] if y else [result.loss]
        axis = _with_room("trial", 0, max(last, 1), whole=True)
        note = f"{len(self._trials)} trials, lowest validation loss {y[-1]:.4f}" if y else "no trial finished"
        lowest = [Line([*x, axis.high], [*y, y[-1]], "accent thin", "lowest so far")] if y else []
        dots = self._points([float(result.number or 0) for result in self._trials], in_legend=True)
        return Chart("History", note, axis, self._up, [self._level("baseline"), *lowest, *dots])

    def epochs(self) -> Chart:
        """The validation loss of each trial, epoch by epoch; where a line ends early the trial was pruned."""
        last = max(number for result in (self._baseline, *self._trials) for number, _, _ in result.epochs)
        marks: list[Mark] = [self._level()]
        in_legend: set[str] = set()
        for result in sorted(self._trials, key=lambda each: each is self._best):
            numbers, losses = [epoch[0] for epoch in result.epochs], [epoch[1] for epoch in result.epochs]
            kind = self._kind(result)
            style = "accent" if kind == "best" else f"{STYLES[kind]} thin"
            marks.append(Line(numbers, losses, style, "" if kind in in_legend else NAMES[kind]))
            in_legend.add(kind)
            if result.state != "finished":
                marks.append(Points(numbers[-1:], losses[-1:], STYLES["pruned"], [result_text(result)]))
        pruned = sum(result.state == "pruned" for result in self._trials)
        note = f"{len(self._trials)} trials, {pruned} of them pruned"
        return Chart("Epoch by epoch", note, _with_room("epoch", 1, max(last, 2), whole=True), self._up, marks)

    def along(self, name: str, dimension: Range | Choices) -> Chart:
        """The loss of each trial by the value of one setting."""
        settings = [result.settings[name] for result in self._trials]
        if isinstance(dimension, Choices):
            count = len(dimension.values)
            # Neighbours would touch each other with longer names.
            ticks = [(k, short(str(value), max(3, 44 // count))) for k, value in enumerate(dimension.values)]
            axis = Axis(name, -0.5, count - 0.5, ticks=ticks)
            places = [float(dimension.values.index(value)) for value in settings]
        else:
            axis = _with_room(name, dimension.low, dimension.high, log=dimension.log)
            places = [float(value) for value in settings]
        note = f"best {self._best.settings[name]}" if self._best else "none better than the baseline"
        return Chart(name, note, axis, self._up, [self._level(), *self._points(places)])

    def _level(self, name: str = "") -> Rule:
        return Rule(self._baseline.loss, "soft dashed", name, level=True)

    def _points(self, places: Sequence[float], in_legend: bool = False) -> list[Mark]:
        """The trials at these places, the best above the others."""
        marks: list[Mark] = []
        for kind in ("pruned", "finished", "best"):
            found = [
                (place, result)
                for place, result in zip(places, self._trials, strict=True)
                if self._kind(result) == kind
            ]
            if found:
                marks.append(
                    Points(
                        [place for place, _ in found],
                        [result.loss for _, result in found],
                        STYLES[kind],
                        [result_text(result) for _, result in found],
                        NAMES[kind] if in_legend else "",
                        radius=5 if kind == "best" else 3.2,
                    )
                )
        return marks


def _with_room(title: str, low: float, high: float, log: bool = False, whole: bool = False) -> Axis:
    if log:
        room = (high / low) ** MARGIN
        return Axis(title, low / room, high * room, log=True)
    room = MARGIN * (high - low)
    return Axis(title, low - room, high + room, whole=whole)
