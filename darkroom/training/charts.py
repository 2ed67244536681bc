"""The charts of a training: loss and accuracy by epoch."""

from collections.abc import Sequence

import numpy as np

from darkroom.drawing.axis import Axis, round_axis
from darkroom.drawing.chart import Chart, Line, Mark, Points, Rule
from darkroom.training.curves import Epoch

# With more epochs than this the dots would touch.
DOTTED_EPOCHS = 40


def training_charts(epochs: Sequence[Epoch], best: Epoch) -> list[Chart]:
    """Loss and accuracy of both splits.

    Args:
        epochs: from the first on; a value that is not finite leaves a gap.
        best: the one whose weights were selected; its validation values are finite.
    """
    losses, validation_losses = [each.train_loss for each in epochs], [each.validation_loss for each in epochs]
    train, validation = [each.train_accuracy for each in epochs], [each.validation_accuracy for each in epochs]
    return [
        _by_epoch("Loss", losses, validation_losses, best.number, percent=False),
        _by_epoch("Accuracy", train, validation, best.number, percent=True),
    ]


def _by_epoch(title: str, train: Sequence[float], validation: Sequence[float], chosen: int, percent: bool) -> Chart:
    count, shown = len(train), ".1%" if percent else ".3f"
    epochs = range(1, count + 1)
    values = np.array([train, validation], np.float64)
    values[~np.isfinite(values)] = np.nan
    marks: list[Mark] = [Rule(chosen, "soft dotted")]
    for name, style, split in zip(("training", "validation"), ("cold dashed", "accent"), values, strict=True):
        texts = [f"{name}, epoch {epoch}: {value:{shown}}" for epoch, value in zip(epochs, split, strict=True)]
        radius = 2.6 if count <= DOTTED_EPOCHS else 1.2
        marks += [Line(epochs, split, style, name), Points(epochs, split, style, texts, radius=radius)]
    best = validation[chosen - 1]
    note = f"epoch {chosen} chosen, {best:{shown}} on validation"
    marks.append(Points([chosen], [best], "ink ring", [note], "chosen", radius=6))
    # A single epoch stands in the middle.
    across = Axis("epoch", 1, count, whole=True) if count > 1 else Axis("epoch", 0, 2, ticks=[(1, "1")])
    up = round_axis(title.lower(), float(np.nanmin(values)), float(np.nanmax(values)), percent)
    return Chart(title, note, across, up, marks)
