"""Splits: together, stable, in the shares that were asked for, and the source's own test split kept."""

import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from darkroom.images.splitting import assign_splits

SOURCE = st.sampled_from([None, "train", "validation", "test"])


def name(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@given(st.lists(st.tuples(st.integers(0, 20), SOURCE), min_size=1, max_size=60), st.integers(0, 5))
def test_a_group_is_never_in_two_splits(rows: list[tuple[int, str | None]], seed: int) -> None:
    groups = [name(number) for number, _ in rows]
    splits = assign_splits(groups, [split for _, split in rows], 0.2, 0.2, seed)
    assert all(len({split for group, split in zip(groups, splits, strict=True) if group == one}) == 1 for one in groups)


@given(st.sets(st.integers(), min_size=1), st.sets(st.integers()), st.integers(0, 5))
def test_growth_moves_nothing(old: set[int], new: set[int], seed: int) -> None:
    def place(numbers: list[int]) -> dict[int, str]:
        groups = [name(number) for number in numbers]
        return dict(zip(numbers, assign_splits(groups, [None] * len(groups), 0.1, 0.1, seed), strict=True))

    before = place(sorted(old))
    after = place(sorted(old | new))
    assert all(after[number] == split for number, split in before.items())


def test_shares_are_kept() -> None:
    groups = [name(number) for number in range(20_000)]
    counts = Counter(assign_splits(groups, [None] * len(groups), 0.1, 0.2, 0))
    assert abs(counts["validation"] / 20_000 - 0.1) < 0.007
    assert abs(counts["test"] / 20_000 - 0.2) < 0.009


def test_the_sources_own_splits_are_kept() -> None:
    groups = [name(number) for number in range(1000)]
    source: list[str | None] = [*["test"] * 200, *["train"] * 800]
    splits = assign_splits(groups, source, 0.1, 0.5, 0)
    assert splits[:200] == ["test"] * 200
    assert "test" not in splits[200:]
    assert 40 < splits.count("validation") < 130
    source[200:300] = ["validation"] * 100
    assert assign_splits(groups, source, 0.1, 0.5, 0).count("validation") == 100


def test_a_copy_of_a_test_image_is_not_trained_on() -> None:
    groups = [name(1), name(1), name(2), name(2)]
    assert assign_splits(groups, ["train", "test", "train", "validation"], 0.1, 0.1, 0) == [
        "test", "test", "validation", "validation",
    ]  # fmt: skip


def test_another_seed_divides_otherwise() -> None:
    groups = [name(number) for number in range(100)]
    assert assign_splits(groups, [None] * 100, 0.3, 0.3, 0) != assign_splits(groups, [None] * 100, 0.3, 0.3, 1)
