"""Settings of the stage `predict`."""

from typing import Annotated

from pydantic import Field

from darkroom.settings.base import MOST_IMAGES, Section


class Predict(Section):
    """What the network is run over beside validation and test images."""

    gallery: Annotated[int, Field(ge=0, le=200)] = 24
    """How many pictures each gallery of the report shows, each with a heat map: most confident mistakes, least confident
    correct predictions, suspected label errors."""
    robustness_images: Annotated[int, Field(ge=0, le=MOST_IMAGES)] = 1000
    """Test images that are blurred, darkened, made noisy and compressed to see what that costs; 0 leaves it out."""
