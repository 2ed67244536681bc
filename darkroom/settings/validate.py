"""Settings of the stage `validate`: the expectations, their limits, and which of them stop the line."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from darkroom.settings.base import MOST_IMAGES, Fraction, Section

ValidateCheck = Literal[
    "manifest",
    "rejects",
    "classes",
    "missing_class",
    "class_size",
    "imbalance",
    "size",
    "aspect_ratio",
    "brightness",
    "contrast",
    "sharpness",
    "mode_mix",
    "copies",
    "conflicts",
    "class_shift",
    "size_shift",
    "brightness_shift",
]


class Validate(Section):
    """What is expected of the data."""

    min_images_per_class: Annotated[int, Field(ge=3, le=MOST_IMAGES)] = 10
    """Fewest readable images that a class may have; with fewer than 3 it can't be in all three splits."""
    max_imbalance_ratio: Annotated[float, Field(ge=1, le=MOST_IMAGES)] = 20.0
    """Largest class divided by smallest class, at most."""
    min_side: Annotated[int, Field(ge=1, le=1_000_000)] = 8
    """Shortest side of any image, in pixels, at least."""
    max_side: Annotated[int, Field(ge=1, le=1_000_000)] = 20000
    """Longest side of any image, in pixels, at most."""
    max_aspect_ratio: Annotated[float, Field(ge=1, le=1_000_000)] = 10.0
    """Longer side divided by shorter side, at most."""
    min_brightness: Fraction = 0.01
    """Mean grey value of any image, 0 being black, at least."""
    max_brightness: Fraction = 0.99
    """Mean grey value of any image, 1 being white, at most."""
    min_contrast: Fraction = 0.01
    """Standard deviation of any image's grey values, of 1, at least; below it an image is nearly blank."""
    min_sharpness: Annotated[float, Field(ge=0, le=1_000_000)] = 5.0
    """Variance of the Laplacian of any image, at least; below it an image is blurred."""
    max_mode_mix: Fraction = 0.05
    """Fraction of images that are grey among colour images, or in colour among grey ones, at most."""
    max_copies: Fraction = 0.1
    """Fraction of images that are copies or near-copies of another, at most."""
    max_shift: Fraction = 0.1
    """Against the data version last committed: how far the class balance (total variation), sizes and brightness
    (Kolmogorov-Smirnov) may move, where the move is also beyond chance (p < 0.001)."""
    stop: list[ValidateCheck] = ["manifest", "rejects", "classes", "missing_class", "class_size", "imbalance", "size"]
    """Which of the expectations stop the line when they are broken; the others warn."""
    near_copies: Literal["auto"] | bool = "auto"
    """Look for re-encoded, resized and slightly cropped copies too, not only for equal files. `auto`: where many of the images
    look alike by chance, as drawn shapes and letters do, only nearly equal ones count; `true`: changed ones all the same."""

    @model_validator(mode="after")
    def _limits_in_order(self) -> "Validate":
        for low, high in (("min_side", "max_side"), ("min_brightness", "max_brightness")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} ({getattr(self, low)}) is larger than {high} ({getattr(self, high)})")
        return self
