"""The thresholds of the settings; a light module, since the stage makes them before it loads anything else."""

from darkroom.settings.base import Fraction
from darkroom.settings.validate import Thresholds


class Limits(Thresholds):
    """The thresholds of the section `validate`, and the one that ingest has stopped the line by already."""

    max_reject_fraction: Fraction
