"""Settings of the stage `quantize`."""

from typing import Annotated

from pydantic import Field

from darkroom.settings.base import MOST_EPOCHS, MOST_IMAGES, Fraction, Section


class Quantize(Section):
    """What a smaller graph may cost, and how it is made."""

    calibration_images: Annotated[int, Field(ge=8, le=MOST_IMAGES)] = 512
    """Training images that set the INT8 ranges; all of them where there are fewer, and at most 128 of 224 pixels, 32 of 448."""
    max_accuracy_loss: Fraction = 0.005
    """Accuracy that a smaller graph may lose, 0.005 being half a point; the upper end of the loss's 95%
    interval counts."""
    min_speedup: Annotated[float, Field(ge=1, le=1000)] = 1.2
    """A smaller graph ships only when it is at least this many times as fast as float, one image at a time."""
    pruning: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the channels that structured pruning removes before a short fine-tuning; 0 leaves it out."""
    fine_tune_epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] = 2
    """Epochs of fine-tuning after pruning, and of the quantization-aware training that follows where static INT8 loses
    more than `max_accuracy_loss`."""
