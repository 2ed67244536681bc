"""Settings of `python -m darkroom.gate`, which decides whether a candidate becomes the champion."""

from typing import Annotated

from pydantic import Field

from darkroom.settings.base import Section

Margin = Annotated[float, Field(gt=0, lt=0.5)]
Times = Annotated[float, Field(ge=1, le=1000)]


class Gate(Section):
    """What a candidate may lose beside the champion."""

    margin: Margin = 0.01
    """Accuracy that a candidate may lose beside the champion, and beside the best model before it, 0.01 being one point;
    the upper end of the loss's 95% interval counts."""
    class_margin: Margin = 0.05
    """Recall that it may lose of a class, and accuracy on images that the champion's data had, or did not have yet; what is
    shown to be lost beyond it counts, after Holm's correction."""
    calibration_margin: Margin = 0.02
    """By how much its expected calibration error may be larger; the lower end of the difference's 95% interval counts."""
    max_growth: Times = 2.0
    """How many times as large as the champion's its graph may be."""
    max_slowdown: Times = 2.0
    """How many times as long as the champion it may take for one image; the lower end of the interval counts."""
