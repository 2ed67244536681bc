"""What is worth a line and breaks no expectation."""

import numpy as np
import pytest

from darkroom.checks.distribution import Distribution
from darkroom.checks.facts import Facts
from darkroom.duplicates.confirm import NearCopies

NO_PAIR = np.empty((0, 2), np.int64)


def nothing(column: str) -> Distribution:
    raise AssertionError(column)


@pytest.mark.parametrize("equal_alone", [False, True])
def test_a_note_says_when_pictures_pair_by_chance_and_how_that_is_changed(equal_alone: bool) -> None:
    near = NearCopies(NO_PAIR, lookalikes=3, equal_alone=equal_alone)
    notes = Facts(4, (), ("a", "b"), {"a": 2, "b": 2}, {"imbalance_ratio": 1.0}, [], {}, nothing, near=near).notes
    assert list(notes) == ["near-copies"] * equal_alone
    if equal_alone:
        assert notes["near-copies"].startswith("3 of 4 images look like another by chance")
        assert "`validate.near_copies: true`" in notes["near-copies"] and "`false` equal files" in notes["near-copies"]
