"""Settings of the stages `evaluate` and, of what it scores, `predict`."""

from typing import Annotated, Literal

from pydantic import Field

from darkroom.settings.base import MOST_IMAGES, Section


class Evaluate(Section):
    """How predictions are scored."""

    confidence: Annotated[float, Field(gt=0.5, le=0.9999)] = 0.95
    """Of every interval."""
    target_precision: Annotated[float, Field(gt=0, lt=1)] = 0.98
    """Fraction of the accepted predictions that must be correct: the model abstains below the confidence that reaches it
    on validation."""
    gallery: Annotated[int, Field(ge=0, le=200)] = 24
    """How many pictures each gallery of the report shows, each with a heat map: most confident mistakes, least confident
    correct predictions, suspected label errors."""
    robustness_images: Literal["auto"] | Annotated[int, Field(ge=0, le=MOST_IMAGES)] = "auto"
    """Test images that are blurred, darkened, made noisy and compressed to see what that costs, at most; 0 leaves it out.
    `auto`: 1,000, and fewer where they have more than 2.5 million pixels together: 50 of 224 x 224."""
