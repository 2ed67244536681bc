"""The search: what goes on, what goes out, and that a slower network must be better beyond chance."""

from collections.abc import Sequence

import numpy as np
import pytest

from darkroom.runtime.arrays import Bools
from darkroom.selection.candidates import Candidate
from darkroom.selection.search import Score, Tried, beside_nothing, search


class Heads:
    """Answers of heads: of the images in order, those that a candidate gets wrong."""

    def __init__(self, **wrong: Sequence[int]) -> None:
        self.wrong = wrong
        self.asked: list[tuple[str, tuple[str, ...], int]] = []

    def __call__(self, network: str, poolings: Sequence[str], images: int) -> dict[str, Bools]:
        self.asked.append((network, tuple(poolings), images))
        found = {pooling: np.ones(images, dtype=bool) for pooling in poolings}
        for pooling, correct in found.items():
            wrong = [row for row in self.wrong[f"{network}_{pooling}"] if row < images]
            correct[wrong] = False
        return found


ROUNDS = [128, 512]
BOTH = ("grid", "mean")


def test_the_fastest_stays_where_slower_ones_are_as_good_and_one_round_is_enough() -> None:
    heads = Heads(
        fast_grid=range(0, 40, 4), fast_mean=range(0, 100, 2), slow_grid=range(0, 36, 4), slow_mean=range(0, 100, 2)
    )
    chosen, tried = search(["fast", "slow"], BOTH, ROUNDS, heads)
    assert chosen == Candidate("fast", "grid")
    assert heads.asked == [("fast", BOTH, 128), ("slow", BOTH, 128)]
    assert [(row.network, row.pooling, row.outcome) for row in tried] == [
        ("fast", "grid", "chosen"),
        ("fast", "mean", "grid is more accurate"),
        ("slow", "grid", "slower than fast, and not better beyond chance"),
        ("slow", "mean", "grid is more accurate"),
    ]
    assert (tried[2].images, tried[2].only_it, tried[2].only_reference) == (128, 1, 0)
    # Wilson's interval of 118 of 128.
    assert (tried[0].accuracy, tried[0].low, tried[0].high) == pytest.approx((0.921875, 0.862153, 0.957013), abs=1e-6)


def test_a_slower_one_that_is_better_goes_on_and_is_chosen_where_more_images_agree() -> None:
    wrong = {"fast_grid": range(0, 512, 16), "slow_grid": range(0, 512, 64), "slowest_grid": range(0, 512, 128)}
    heads = Heads(**wrong)
    chosen, tried = search(["fast", "slow", "slowest"], ["grid"], ROUNDS, heads)
    assert chosen == Candidate("slow", "grid")
    assert [row.outcome for row in tried] == [
        "slow is better beyond chance",
        "chosen",
        "slower than slow, and not better beyond chance",
    ]
    assert heads.asked[3:] == [(network, ("grid",), 512) for network in ("fast", "slow", "slowest")]


def test_a_slower_one_whose_lead_more_images_take_away_is_not_chosen() -> None:
    heads = Heads(fast_grid=[*range(0, 128, 16), *range(128, 140)], slow_grid=[0, *range(128, 147)])
    chosen, tried = search(["fast", "slow"], ["grid"], ROUNDS, heads)
    assert chosen == Candidate("fast", "grid")
    assert tried[1].images == 512


def test_poolings_that_few_images_do_not_part_go_on_to_all_and_equal_ones_give_the_faster() -> None:
    heads = Heads(fast_grid=[0, 1, 200], fast_mean=[2, 3, 300])
    chosen, _ = search(["fast"], BOTH, ROUNDS, heads)
    assert chosen == Candidate("fast", "grid") and [asked[2] for asked in heads.asked] == [128, 512]


def test_where_no_image_is_judged_the_first_candidate_is_chosen() -> None:
    def nothing(network: str, poolings: Sequence[str], images: int) -> dict[str, Bools]:
        return {pooling: np.zeros(0, dtype=bool) for pooling in poolings}

    score: Score = nothing
    chosen, tried = search(["fast", "slow"], BOTH, [60], score)
    assert chosen == Candidate("fast", "grid") and tried[0].images == 0


@pytest.mark.parametrize(("right", "kept"), [(99, True), (90, False)])
def test_a_backbone_stays_where_it_is_better_than_a_network_that_learns_from_nothing(right: int, kept: bool) -> None:
    chosen, other = Candidate("fast", "grid"), Candidate("fast", "mean")
    heads = np.arange(100) < right
    from_nothing = np.arange(100) < 88
    tried = [_row(chosen, "chosen"), _row(other, "grid is more accurate")]
    after, rows = beside_nothing(chosen, tried, heads, from_nothing)
    assert after == (chosen if kept else Candidate("small_image_net", "from nothing"))
    assert [row.outcome == "chosen" for row in rows] == [kept, False, not kept]
    assert (rows[0].accuracy, rows[2].accuracy, rows[2].only_reference) == (right / 100, 0.88, right - 88)


def _row(candidate: Candidate, outcome: str) -> Tried:
    return Tried(candidate.network, candidate.pooling, 20, 0.5, 0.4, 0.6, 0, 0, outcome)
