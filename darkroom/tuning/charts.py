"""Drawings of trials as inline SVG: the history, the losses epoch by epoch, and the loss along each setting."""

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.drawing.scale import Scale
from darkroom.tuning.outcome import Outcome
from darkroom.tuning.space import Choices, Range
from darkroom.tuning.text import told_outcome

# In units of the drawing, which the page scales: small enough that 11-unit lettering stays legible on a phone.
WIDTH, HEIGHT = 420, 258
LEFT, RIGHT, TOP, BOTTOM = 50, 404, 16, 214
# Losses above so many times the lowest are drawn at the upper edge: one trial that learnt nothing would press all others flat.
TALLEST = 20
# Room beside the outermost dots.
MARGIN = 10


@dataclass(frozen=True)
class Plot:
    """Ready to be drawn by the macro `trial_plot` of `tune.html`; ticks are (place, text).

    Attributes:
        title, x_title: what is drawn, and along what.
        note: the drawing in words.
        dots: (x, y, kind, text), where `kind` is `finished`, `pruned` or `best`.
        lines: (the `d` of an SVG path, kind), where `kind` may also be `lowest`.
        level: the height of the settings as they are, where it lies within.
    """

    title: str
    x_title: str
    note: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    dots: list[tuple[float, float, str, str]]
    lines: list[tuple[str, str]]
    level: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


class TrialPlots:
    """All drawings share the axis of the loss, by ratio."""

    def __init__(self, as_it_is: Outcome, tried: Sequence[Outcome], best: Outcome | None) -> None:
        """`best` is marked, where there is one. At least one epoch ended, and `as_it_is` has one."""
        self._as_it_is = as_it_is
        self._tried = [outcome for outcome in tried if outcome.epochs]
        self._best = best
        losses = [loss for outcome in (as_it_is, *self._tried) for _, loss, _ in outcome.epochs]
        # A loss of 0 has no place by ratio; cross-entropy in float32 comes no nearer.
        low = max(min(losses), 1e-7)
        high = max(min(max(losses), low * TALLEST), low * 1.05)
        self._low, self._high = low / 1.05, high * 1.05
        self._up = Scale(self._low, self._high, BOTTOM, TOP, True)
        self._level = self._y(as_it_is.loss)

    def _y(self, loss: float) -> float:
        return float(self._up.place(min(max(loss, self._low), self._high)))

    def _kind(self, outcome: Outcome) -> str:
        if outcome is self._best:
            return "best"
        return "finished" if outcome.state == "finished" else "pruned"

    def history(self) -> Plot:
        """The loss of each trial in the order of their numbers, and the lowest so far."""
        last = max((outcome.number or 0 for outcome in self._tried), default=0)
        across = Scale(0, max(last, 1), LEFT + MARGIN, RIGHT - MARGIN, False)
        path, lowest = "", float("inf")
        for outcome in self._tried:
            if outcome.state == "finished" and outcome.loss < lowest:
                x, y = float(across.place(outcome.number or 0)), self._y(outcome.loss)
                path += f"H{x}V{y}" if path else f"M{x} {y}"
                lowest = outcome.loss
        if path:
            path += f"H{RIGHT}"
        note = f"{len(self._tried)} trials, lowest validation loss {lowest:.4f}" if path else "no trial finished"
        return self._plot(
            "History",
            "trial",
            note,
            [tick for tick in across.ticks(8) if tick[1].isdecimal()],
            [(float(across.place(outcome.number or 0)), outcome) for outcome in self._tried],
            [(path, "lowest")] if path else [],
        )

    def epochs(self) -> Plot:
        """The validation loss of each trial, epoch by epoch; where a line ends early the trial was pruned."""
        last = max(number for outcome in (self._as_it_is, *self._tried) for number, _, _ in outcome.epochs)
        across = Scale(1, max(last, 2), LEFT + MARGIN, RIGHT - MARGIN, False)
        lines, ends = [], []
        for outcome in sorted(self._tried, key=lambda each: each is self._best):
            places = [(float(across.place(number)), self._y(loss)) for number, loss, _ in outcome.epochs]
            lines.append(("M" + "L".join(f"{x} {y}" for x, y in places), self._kind(outcome)))
            if outcome.state != "finished":
                ends.append((*places[-1], "pruned", told_outcome(outcome)))
        pruned = sum(outcome.state == "pruned" for outcome in self._tried)
        plot = self._plot(
            "Epoch by epoch",
            "epoch",
            f"{len(self._tried)} trials, {pruned} of them pruned",
            [tick for tick in across.ticks(8) if tick[1].isdecimal()],
            [],
            lines,
        )
        plot.dots.extend(ends)
        return plot

    def along(self, name: str, dimension: Range | Choices) -> Plot:
        """The loss of each trial by the value of one setting."""
        if isinstance(dimension, Choices):
            count = len(dimension.values)
            across = Scale(-0.5, count - 0.5, LEFT, RIGHT, False)
            place = {value: float(across.place(index)) for index, value in enumerate(dimension.values)}
            x_ticks = [(place[value], str(value)) for value in dimension.values]
            places = [(place[outcome.settings[name]], outcome) for outcome in self._tried]
        else:
            across = Scale(dimension.low, dimension.high, LEFT + MARGIN, RIGHT - MARGIN, dimension.log)
            x_ticks = across.ticks(6)
            places = [(float(across.place(float(outcome.settings[name]))), outcome) for outcome in self._tried]
        note = f"best {self._best.settings[name]}" if self._best else "none better than the settings as they are"
        return self._plot(name, name, note, x_ticks, places, [])

    def _plot(
        self,
        title: str,
        x_title: str,
        note: str,
        x_ticks: list[tuple[float, str]],
        places: list[tuple[float, Outcome]],
        lines: list[tuple[str, str]],
    ) -> Plot:
        # The best last, so that it lies above the others.
        dots = [
            (x, self._y(outcome.loss), self._kind(outcome), told_outcome(outcome))
            for x, outcome in sorted(places, key=lambda each: each[1] is self._best)
        ]
        return Plot(title, x_title, note, x_ticks, self._up.ticks(6), dots, lines, self._level)
