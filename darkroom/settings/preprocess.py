"""Settings of the stage `preprocess`."""

from typing import Annotated, Literal

from pydantic import Field

from darkroom.settings.base import Section


class Preprocess(Section):
    """The shape in which the network sees an image."""

    size: Literal["auto"] | Annotated[int, Field(ge=8, le=1024)] = "auto"
    """Side of the square that the network sees, in pixels. `auto`: the median of the images' shorter sides, to a multiple
    of 4, between 8 and 64."""
    channels: Literal["auto", 1, 3] = "auto"
    """1 (grey) or 3 (RGB). `auto`: 1 when every image is grey."""
    resize: Literal["crop", "pad", "stretch"] = "crop"
    """What happens to an image that is not square: cut the longer side, pad the shorter with black, or stretch."""
