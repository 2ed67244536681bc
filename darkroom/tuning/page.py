"""The page of a tuning: the best settings, the result of each trial, and which settings mattered."""

from collections.abc import Mapping, Sequence

from darkroom.drawing.pages import render_page
from darkroom.statistics.intervals import wilson
from darkroom.tuning.charts import TrialCharts
from darkroom.tuning.space import Space
from darkroom.tuning.text import at_bounds, dimension_text
from darkroom.tuning.trial import TrialResult

CONFIDENCE = 0.95


def tuning_page(
    *,
    study: str,
    baseline: TrialResult,
    trials: Sequence[TrialResult],
    best: TrialResult | None,
    space: Space,
    importance: Mapping[str, float],
    images: int,
) -> str:
    """One offline page; the same results give the same text.

    Args:
        study: its name.
        baseline: the training with the settings as `params.yaml` has them.
        trials: all trials, in the order of their numbers.
        best: the best of them; None where none is better than `baseline`.
        space: what was searched.
        importance: of each setting, as fractions of one; empty where too little is known.
        images: in the validation split.
    """
    charts = TrialCharts(baseline, trials, best)
    ended = [result for result in trials if result.state != "unfinished"]
    return render_page(
        "tune.html",
        study=study,
        baseline=baseline,
        best=best,
        counts={state: sum(result.state == state for result in ended) for state in ("finished", "pruned", "failed")},
        trials=sorted(ended, key=lambda result: (result.state != "finished", result.loss)),
        accuracy={result.name: _accuracy(result, images) for result in (baseline, best) if result},
        bounds=[] if best is None else at_bounds(space, best.settings),
        space=[(name, dimension_text(dimension)) for name, dimension in space.items()],
        importance=list(importance.items()),
        course=[charts.history(), charts.epochs()],
        along=[charts.along(name, dimension) for name, dimension in space.items()],
        images=images,
        confidence=CONFIDENCE,
    )


def _accuracy(result: TrialResult, images: int) -> tuple[float, float, float]:
    """The validation accuracy of the best epoch, and the bounds of its interval."""
    assert result.best_epoch
    accuracy = result.best_epoch[2]
    low, high = wilson(round(accuracy * images), images, CONFIDENCE)
    return accuracy, float(low), float(high)
