"""Sets of copies stay around one of their members."""

import numpy as np

from darkroom.duplicates.medoids import around_medoids
from darkroom.runtime.arrays import Bools, Int64s


def sets_on_a_line(places: list[int], reach: int, most: int) -> list[set[int]]:
    """The sets of rows that lie at `places`, paired within `reach`, with medoids at most `most` apart."""
    at = np.array(places)
    one, other = np.nonzero(np.triu(np.abs(at[:, None] - at) <= reach, 1))

    def near(first: Int64s, second: Int64s) -> Bools:
        return np.asarray(np.abs(at[first] - at[second]) <= most)

    found: dict[int, set[int]] = {}
    for medoid, member in around_medoids(np.stack([one, other], 1), near).tolist():
        found.setdefault(medoid, {medoid}).add(member)
    return list(found.values())


def test_a_chain_is_cut_where_it_is_far_from_the_medoid() -> None:
    assert sets_on_a_line([0, 1, 2, 3, 4, 5, 6], reach=1, most=1) == [{0, 1, 2}, {3, 4}, {5, 6}]
    # The star around 1 takes in the one around 3, and the one around 5 is too far.
    assert sets_on_a_line([0, 1, 2, 3, 4, 5, 6], reach=1, most=3) == [{0, 1, 2, 3, 4}, {5, 6}]


def test_stars_that_are_near_become_one_set_through_others() -> None:
    assert sets_on_a_line(list(range(50)), reach=2, most=50) == [set(range(50))]


def test_two_sets_stay_two() -> None:
    assert sets_on_a_line([0, 1, 2, 100, 101], reach=2, most=50) == [{0, 1, 2}, {3, 4}]


def test_no_pair() -> None:
    assert sets_on_a_line([0, 10], reach=1, most=1) == []
