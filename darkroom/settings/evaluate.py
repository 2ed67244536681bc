"""Settings of the stage `evaluate`."""

from typing import Annotated

from pydantic import Field

from darkroom.settings.base import Section


class Evaluate(Section):
    """How predictions are scored."""

    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    """Of every interval."""
    target_precision: Annotated[float, Field(gt=0, lt=1)] = 0.98
    """Fraction of the accepted predictions that must be correct: the model abstains below the confidence that reaches it
    on validation."""
