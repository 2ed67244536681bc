"""What is done to training images, as the user set it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Augmentation:
    """The settings of augmentation, under the names of `darkroom.settings.train.Train`, which says what each means.

    The values that stand here leave images as they are.
    """

    flip: bool = False
    shift: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    crop: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    albumentations: Sequence[dict[str, Any]] = ()

    @property
    def nothing(self) -> bool:
        """Whether images stay as they are."""
        return not (
            self.flip
            or self.shift
            or self.resamples
            or self.brightness
            or self.contrast
            or self.noise
            or self.cutout
            or self.mixes
            or self.albumentations
        )

    @property
    def resamples(self) -> bool:
        """Whether pixels come to lie between others, so that their values must be worked out anew."""
        return self.rotate > 0 or self.zoom > 0 or self.crop < 1

    @property
    def mixes(self) -> bool:
        """Whether an image takes something from another of its batch."""
        return self.mixup > 0 or self.cutmix > 0
