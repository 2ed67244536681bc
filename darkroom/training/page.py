"""The page of a training: how it went, what it was told, and what the network saw."""

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.drawing.pages import render_page
from darkroom.drawing.pictures import image_data_uri, is_small
from darkroom.runtime.arrays import UInt8s
from darkroom.training.charts import training_charts
from darkroom.training.curves import Epoch
from darkroom.training.examples import Example


@dataclass(frozen=True)
class Shown:
    """A picture for the page: its `src`, whether its pixels are shown as squares, what it counts as."""

    uri: str
    crisp: bool
    counts_as: str


def training_page(
    history: Sequence[Epoch], best: Epoch, facts: Sequence[tuple[str, str, str]], samples: Sequence[Example]
) -> str:
    """The page `index.html`.

    Args:
        history: the epochs, from the first on.
        best: the one whose weights were kept.
        facts: settings: the name, the value, and the reason, empty for what the user set.
        samples: training images before and after augmentation.
    """
    train = {"loss": [each.train_loss for each in history], "accuracy": [each.train_accuracy for each in history]}
    validation = {
        "loss": [each.validation_loss for each in history],
        "accuracy": [each.validation_accuracy for each in history],
    }
    return render_page(
        "training.html",
        history=history,
        best=best,
        charts=training_charts(train, validation, best.number),
        chosen=[fact for fact in facts if fact[2]],
        told=[fact for fact in facts if not fact[2]],
        samples=[_pictured(sample) for sample in samples],
        augmented=any(sample.draws for sample in samples),
    )


def _pictured(sample: Example) -> tuple[Shown, list[Shown]]:
    return _shown(sample.image, sample.label), [_shown(*draw) for draw in sample.draws]


def _shown(pixels: UInt8s, counts_as: str) -> Shown:
    return Shown(image_data_uri(pixels), is_small(pixels), counts_as)
