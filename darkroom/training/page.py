"""The page of a training: how it went, its settings, and what the network saw."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.drawing.pages import render_page
from darkroom.drawing.pictures import image_data_uri, is_small
from darkroom.runtime.arrays import UInt8s
from darkroom.training.charts import training_charts
from darkroom.training.record import Example, read_record


@dataclass(frozen=True)
class Shown:
    """A picture for the page: its `src`, whether its pixels are shown as squares, what it counts as."""

    uri: str
    crisp: bool
    counts_as: str


def training_page(*, training: Path, selection: Mapping[str, Any]) -> str:
    """The page `index.html`.

    Args:
        training: the folder with the training's record, `reports/train`.
        selection: the fields of `darkroom.selection.choice.Choice`.
    """
    record = read_record(training)
    history, best = record.epochs, record.best
    return render_page(
        "training.html",
        selection=selection,
        history=history,
        best=best,
        charts=[] if record.strengths else training_charts(history, best),
        strengths=list(zip(history, record.strengths, strict=True)) if record.strengths else [],
        tuned=record.tuned,
        chosen=[each for each in record.settings if each.reason],
        given=[each for each in record.settings if not each.reason],
        examples=[_pictured(each) for each in record.examples],
        augmented=any(each.draws for each in record.examples),
    )


def _pictured(example: Example) -> tuple[Shown, list[Shown]]:
    return _shown(example.image, example.label), [_shown(*draw) for draw in example.draws]


def _shown(pixels: UInt8s, counts_as: str) -> Shown:
    return Shown(image_data_uri(pixels), is_small(pixels), counts_as)
