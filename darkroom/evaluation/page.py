"""The report of an evaluation: what was found, drawn; and how it was found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from darkroom.drawing.pages import render_page
from darkroom.drawing.pictures import is_small, legend
from darkroom.evaluation.charts import (
    coverage_chart,
    precision_recall_chart,
    robustness_chart,
    roc_chart,
    temperature_chart,
)
from darkroom.evaluation.confusion import confusion
from darkroom.evaluation.error_analysis import Insights
from darkroom.evaluation.evaluation import Evaluation
from darkroom.evaluation.frames import GALLERY_SIDE, Frames
from darkroom.evaluation.pictured import damaged, mean_heat, slice_mistakes, suspect_frames
from darkroom.evaluation.ranking import Curve
from darkroom.evaluation.scorecard import ClassRow, class_rows
from darkroom.evaluation.test_split import HeldOut
from darkroom.images.pack import Packed
from darkroom.model.spec import ModelSpec
from darkroom.settings.read import ChangedSetting
from darkroom.statistics.intervals import RESAMPLES
from darkroom.training.charts import training_charts
from darkroom.training.curves import Curves


@dataclass(frozen=True)
class Run:
    """Where the numbers come from.

    Attributes:
        spec: of the model that was scored.
        curves: of its training.
        held_out: the test images.
        packed: the arrays that it was trained and chosen on, `train` and `validation`.
        settings: those that differ from the shipped ones.
        provenance: versions by name, as in `metrics.json`.
    """

    spec: ModelSpec
    curves: Curves
    held_out: HeldOut
    packed: Mapping[str, Packed]
    settings: Sequence[ChangedSetting]
    provenance: Mapping[str, str]


def report_page(found: Evaluation, insights: Insights, run: Run, gallery: int) -> str:
    """The page `report.html`.

    Args:
        found: the scores.
        insights: what was found beside them.
        run: where they come from.
        gallery: how many suspects to show.
    """
    card, spec, held_out, choice = found.card, run.spec, run.held_out, insights.choice
    names = spec.classes.names
    rows = class_rows(card, names)
    heat = dict(zip(choice.rows(), insights.explanation.maps, strict=True))
    frames = Frames(held_out, found.probabilities, names, heat)
    # The damage is shown on the first image that is named correctly, or on the first of all.
    example = int(found.right.argmax())
    return render_page(
        "report.html",
        found=found,
        card=card,
        headline=card.headline,
        answered=found.answered,
        threshold=found.calibration.threshold,
        target=f"{100 * found.calibration.target_precision:g}%",
        level=f"{100 * card.confidence:g}%",
        spec=spec,
        preprocessing=spec.preprocessing,
        provenance=run.provenance,
        settings=run.settings,
        split_sizes=held_out.split_sizes,
        mistakes=int((~found.right).sum()),
        resamples=RESAMPLES,
        weakest=min((row for row in rows if row.images), key=lambda row: row.recall),
        curves=run.curves,
        epochs=len(run.curves.train["loss"]),
        training_charts=training_charts(run.curves.train, run.curves.validation, spec.epoch),
        names=names,
        short_names=max(len(name) for name in names) <= 3,
        confusion=confusion(found, held_out, names, frames),
        rows=sorted(rows, key=lambda row: (row.f1, row.name)),
        axis=_axis(rows),
        ranking_charts=[roc_chart(found.roc), precision_recall_chart(found.precision_recall)] if found.roc else [],
        areas=_areas(found.roc, found.precision_recall),
        confidence_charts=[temperature_chart(found), coverage_chart(found)],
        legend=legend(),
        explanation=insights.explanation,
        surest=frames.of(choice.mistakes, GALLERY_SIDE, heat=True),
        unsure=frames.of(choice.unsure, GALLERY_SIDE, heat=True),
        attention=mean_heat(held_out, choice.typical, heat, names),
        facts=insights.facts,
        slices=slice_mistakes(insights.slices, found, held_out, frames),
        suspects=suspect_frames(insights.suspects, run.packed, gallery),
        suspect_count=len(insights.suspects),
        robustness=insights.robustness,
        robustness_chart=robustness_chart(insights.robustness) if insights.robustness else None,
        damaged=damaged(held_out.images[example], held_out.ids[example], insights.robustness)
        if insights.robustness
        else [],
        damaged_images=insights.damaged_images,
        damaged_precision=insights.damaged_precision,
        damaged_crisp=is_small(held_out.images[example]),
    )


def _areas(roc: Sequence[Curve], precision_recall: Sequence[Curve]) -> list[tuple[str, Curve, Curve]]:
    """Name, ROC and precision-recall: the two averages, then the classes, the smallest area under ROC first."""
    rows = [(one.name, one, other) for one, other in zip(roc, precision_recall, strict=True)]
    return rows[:2] + sorted(rows[2:], key=lambda row: (row[1].area, row[0]))


def _axis(rows: list[ClassRow]) -> float:
    """Where the scale of the per-class drawing begins: the tenth below the lowest end of any interval; it ends at 1."""
    ends = [row.recall_low for row in rows if row.images] + [row.precision_low for row in rows if row.named]
    return min(0.9, math.floor(min(ends) * 10) / 10)
