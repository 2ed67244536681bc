"""Images to look at first: the ends of everything that is measured, beyond a limit or not."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from darkroom.checks.facts import Facts
from darkroom.checks.limits import Limits
from darkroom.checks.outcomes import significant

# Of each kind: enough to judge a limit by.
SHOWN = 6


@dataclass(frozen=True)
class Suspects:
    """One end of one measure.

    Attributes:
        title: which images these are.
        limit: what is allowed, in words.
        rows: of the manifest, the most extreme first.
        values: theirs, in words.
        beyond: whether each is beyond the limit.
    """

    title: str
    limit: str
    rows: list[int]
    values: list[str]
    beyond: list[bool]


def find_suspects(facts: Facts, limits: Limits) -> list[Suspects]:
    """The ends of each measure; none of a measure that is the same for most images."""
    images = facts.images

    def end(title: str, column: str, limit: float, is_minimum: bool, text: Callable[[float], str]) -> Suspects:
        values = images[column].to_numpy(np.float64)
        order = np.argsort(values if is_minimum else -values, kind="stable")[:SHOWN]
        worst = values[order]
        beyond = worst < limit if is_minimum else worst > limit
        allowed = f"allowed: at {'least' if is_minimum else 'most'} {text(limit)}"
        # What half of the images measure is no extreme, unless a limit says so.
        odd = beyond | (worst != np.median(values))
        return Suspects(
            title, allowed, order[odd].tolist(), [text(value) for value in worst[odd]], beyond[odd].tolist()
        )

    found = [
        end("Darkest", "brightness", limits.min_brightness, True, _number),
        end("Brightest", "brightness", limits.max_brightness, False, _number),
        end("Flattest", "contrast", limits.min_contrast, True, _number),
        end("Most blurred", "sharpness", limits.min_sharpness, True, _number),
        end("Most stretched", "aspect_ratio", limits.max_aspect_ratio, False, lambda value: f"{value:.3g} : 1"),
        end("Smallest", "shorter_side", limits.min_side, True, lambda value: f"{value:,.0f} px"),
        end("Largest", "longer_side", limits.max_side, False, lambda value: f"{value:,.0f} px"),
        _rarer_mode(facts, limits),
    ]
    return [suspects for suspects in found if suspects.rows]


def _rarer_mode(facts: Facts, limits: Limits) -> Suspects:
    rarer = facts.rarer_mode
    rows = np.flatnonzero(facts.images["grey"] == (rarer == "grey"))
    modes: pd.Series = facts.images["mode"].iloc[rows[:SHOWN]]
    title = "Grey among colour images" if rarer == "grey" else "In colour among grey images"
    broken = len(rows) > limits.max_mode_mix * len(facts.images)
    limit = f"{len(rows):,} of {len(facts.images):,}; allowed: at most {limits.max_mode_mix * 100:.4g}%"
    return Suspects(title, limit, rows[:SHOWN].tolist(), [f"mode {mode}" for mode in modes], [broken] * len(modes))


def _number(value: float) -> str:
    return significant(value, 3)
