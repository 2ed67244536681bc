"""Which kind of shift it is."""

import numpy as np
import pytest

from darkroom.monitoring.kinds import find_kind, fraction_above
from darkroom.monitoring.scores import BRIGHTNESS, CONTRAST, DETAIL, SHARPNESS

# The part of each score in the level: of another mix a tenth or more is the class.
MIX, OTHER = np.where(np.arange(14) == 13, 0.2, 0.8 / 13), np.where(np.arange(14) == 13, 0.02, 0.98 / 13)


def shifted(by: dict[int, float], fraction: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    live = rng.normal(size=(60, 13))
    for score, reach in by.items():
        live[: int(60 * fraction), score] += reach
    return live


@pytest.mark.parametrize(
    ("live", "evidence", "expected"),
    [
        (shifted({BRIGHTNESS: -0.8, CONTRAST: -1.5, SHARPNESS: -2}), OTHER, ("quality", "darker")),
        (shifted({BRIGHTNESS: 0.8, CONTRAST: 1.5, SHARPNESS: 2}), OTHER, ("quality", "brighter")),
        (shifted({CONTRAST: -1.5, SHARPNESS: -2}), OTHER, ("quality", "of less contrast")),
        (shifted({SHARPNESS: -3, DETAIL: -3}), OTHER, ("quality", "blurred")),
        (shifted({SHARPNESS: 2, DETAIL: 2, BRIGHTNESS: 0.3}), MIX, ("quality", "noisy or sharper")),
        (shifted({2: 5.0}), OTHER, ("quality", "of another size or format")),
        (shifted({}), MIX, ("class mix", "in another mix of the classes")),
        (shifted({0: -3.0, SHARPNESS: 2}, 0.2), OTHER, ("unknown things", "unlike the reference")),
    ],
)
def test_each_kind_is_named(live: np.ndarray, evidence: np.ndarray, expected: tuple[str, str]) -> None:
    found = find_kind(np.random.default_rng(0).normal(size=(1000, 13)), live, evidence)
    assert (found.name, found.words) == expected


def test_pairs_are_counted_with_ties_as_halves_and_without_what_is_missing() -> None:
    assert fraction_above(np.array([1.0, 2.0, np.nan]), np.array([2.0, 3.0, np.nan])) == pytest.approx(3.5 / 4)
    assert fraction_above(np.array([1.0]), np.array([np.nan])) == 0.5
