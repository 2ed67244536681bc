"""The page of a tuning: the best settings, what each trial came to, and which settings mattered."""

from collections.abc import Mapping, Sequence

from darkroom.drawing.pages import render_page
from darkroom.statistics.intervals import wilson
from darkroom.tuning.charts import TrialCharts
from darkroom.tuning.outcome import Outcome
from darkroom.tuning.space import Space
from darkroom.tuning.text import at_an_end, told_dimension

CONFIDENCE = 0.95


def tuning_page(
    study: str,
    as_it_is: Outcome,
    tried: Sequence[Outcome],
    best: Outcome | None,
    space: Space,
    importance: Mapping[str, float],
    images: int,
) -> str:
    """One offline page; the same outcomes give the same text.

    Args:
        study: its name.
        as_it_is: what the settings as they are came to.
        tried: all trials, in the order of their numbers.
        best: the one of them to take over; None where none is better than `as_it_is`.
        space: what was searched.
        importance: of each setting, shares of one; empty where too little is known.
        images: in the validation split.
    """
    charts = TrialCharts(as_it_is, tried, best)
    ended = [outcome for outcome in tried if outcome.state != "unfinished"]
    return render_page(
        "tune.html",
        study=study,
        as_it_is=as_it_is,
        best=best,
        counts={state: sum(outcome.state == state for outcome in ended) for state in ("finished", "pruned", "failed")},
        trials=sorted(ended, key=lambda outcome: (outcome.state != "finished", outcome.loss)),
        accuracy={outcome.name: _accuracy(outcome, images) for outcome in (as_it_is, best) if outcome},
        ends=[] if best is None else at_an_end(space, best.settings),
        space=[(name, told_dimension(dimension)) for name, dimension in space.items()],
        importance=list(importance.items()),
        course=[charts.history(), charts.epochs()],
        along=[charts.along(name, dimension) for name, dimension in space.items()],
        images=images,
        confidence=CONFIDENCE,
    )


def _accuracy(outcome: Outcome, images: int) -> tuple[float, float, float]:
    """The validation accuracy of the kept epoch, and the ends of its interval."""
    assert outcome.best_epoch
    share = outcome.best_epoch[2]
    low, high = wilson(round(share * images), images, CONFIDENCE)
    return share, float(low), float(high)
