"""The thresholds of the settings; a light module, since the stage makes them before it loads anything else."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The thresholds; their meanings are in `darkroom.settings.validate`."""

    max_reject_fraction: float
    min_images_per_class: int
    max_imbalance_ratio: float
    min_side: int
    max_side: int
    max_aspect_ratio: float
    min_brightness: float
    max_brightness: float
    min_contrast: float
    min_sharpness: float
    max_mode_mix: float
    max_copies: float
    max_shift: float
