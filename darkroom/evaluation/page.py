"""The page of an evaluation: what was found, drawn; and how it was found."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

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
from darkroom.evaluation.metrics_json import read_evaluation
from darkroom.evaluation.pictures import (
    CELL_SIDE,
    GALLERY_SIDE,
    Frames,
    damaged_pictures,
    mean_heat,
    open_predicted_images,
    suspect_frames,
)
from darkroom.evaluation.ranking import Curve
from darkroom.evaluation.scorecard import ClassRow
from darkroom.inference.explained import load_explained, ordered
from darkroom.model.spec import load_spec
from darkroom.runtime.arrays import Float32s
from darkroom.runtime.inputs import read_input_json, stage_input
from darkroom.statistics.intervals import RESAMPLES
from darkroom.training.charts import training_charts
from darkroom.training.record import read_record, require_same_epoch

# Of the excluded images; their file has all.
LISTED = 20


@stage_input
def _read_excluded(path: Path) -> list[dict[str, str]]:
    """The excluded images, each with its path, the reason, and what it is beside."""
    return [dict(each) for each in read_input_json(path) if str(each["reason"])]


def evaluation_page(
    *, evaluated: Path, predicted: Path, arrays: Path, excluded: Path, model: Path, training: Path
) -> str:
    """The page `report.html`.

    Args:
        evaluated: the folder that evaluate wrote for people, `reports/evaluate`.
        predicted: the folder of predict, with the heat maps.
        arrays: the folder with the arrays of each split.
        excluded: the list of the images in no split.
        model: the folder with `model.json`.
        training: the folder with the training's record, `reports/train`.

    Raises:
        DarkroomError: when these do not belong together.
    """
    found, errors, content = read_evaluation(evaluated)
    spec, record, explained = load_spec(model / "model.json"), read_record(training), load_explained(predicted)
    require_same_epoch(record, spec.epoch, training)
    names, choice, settings = spec.classes.names, explained.choice, content["settings"]
    test = open_predicted_images(arrays / "test", evaluated / "predictions.parquet", names)
    frames, confidence = Frames(test, names, explained), test.confidence
    left_out = _read_excluded(excluded)
    return render_page(
        "evaluation.html",
        found=found,
        headline=found.headline,
        answered=found.answered,
        threshold=found.calibration.threshold,
        target=f"{100 * found.calibration.target_precision:g}%",
        level=f"{100 * found.confidence:g}%",
        spec=spec,
        preprocessing=spec.preprocessing,
        provenance=content["provenance"],
        settings=settings,
        split_sizes=read_input_json(arrays / "stats.json", {"images": dict})["images"],
        excluded=left_out[:LISTED],
        excluded_count=len(left_out),
        excluded_reasons=Counter(each["reason"] for each in left_out).most_common(),
        mistakes=int((test.labels != test.predicted).sum()),
        resamples=RESAMPLES,
        weakest=min((row for row in found.rows if row.images), key=lambda row: row.recall),
        epochs=record.epochs,
        training_charts=training_charts(record.epochs, record.best),
        names=names,
        short_names=max(len(name) for name in names) <= 3,
        confusion=confusion(test, names, frames),
        rows=sorted(found.rows, key=lambda row: (row.f1, row.name)),
        axis=_axis(found.rows),
        ranking_charts=[roc_chart(found.roc), precision_recall_chart(found.precision_recall)] if found.roc else [],
        areas=_areas(found.roc, found.precision_recall),
        confidence_charts=[temperature_chart(found), coverage_chart(found)],
        legend=legend(),
        explanation=explained,
        confident_mistakes=frames.of(_sorted(choice.mistakes, -confidence, test.ids), GALLERY_SIDE, heat=True),
        least_confident=frames.of(_sorted(choice.unsure, confidence, test.ids), GALLERY_SIDE, heat=True),
        attention=mean_heat(test, explained, names),
        facts=errors.facts,
        slices=[
            (each, frames.of(errors.slice_mistakes[place], CELL_SIDE) if place < len(errors.slice_mistakes) else [])
            for place, each in enumerate(errors.slices)
        ],
        suspects=suspect_frames(errors.suspects[: explained.gallery], arrays),
        suspect_count=len(errors.suspects),
        robustness=errors.robustness,
        robustness_chart=robustness_chart(errors.robustness) if errors.robustness else None,
        damaged=damaged_pictures(explained.damaged, errors.robustness),
        damaged_images=errors.damaged_images,
        damaged_precision=errors.damaged_precision,
        damaged_crisp=is_small(explained.damaged[0, 0]),
    )


def _sorted(rows: Sequence[int], keys: Float32s, ids: list[str]) -> list[int]:
    """predict chose by confidences before calibration."""
    return ordered(np.array(rows, np.int64), keys, ids)


def _areas(roc: Sequence[Curve], precision_recall: Sequence[Curve]) -> list[tuple[str, Curve, Curve]]:
    """Name, ROC and precision-recall: the two averages, then the classes, the smallest area under ROC first."""
    rows = [(one.name, one, other) for one, other in zip(roc, precision_recall, strict=True)]
    return rows[:2] + sorted(rows[2:], key=lambda row: (row[1].area, row[0]))


def _axis(rows: list[ClassRow]) -> float:
    """Where the scale of the per-class drawing begins: the tenth below the lowest end of any interval; it ends at 1."""
    ends = [row.recall_low for row in rows if row.images] + [row.precision_low for row in rows if row.predicted]
    return min(0.9, math.floor(min(ends) * 10) / 10)
