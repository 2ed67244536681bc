"""The rule: together, in the shares that were asked for, what the source divides kept, and cuts by date."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.splits.rule import Images, Ruled, Wish, apply_rule

SOURCE = st.sampled_from([None, "train", "validation", "test"])
WISHES = st.builds(Wish, st.just(0.2), st.just(0.2), st.integers(0, 5), st.sampled_from([None, 2, 5]))


def name(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def images_of(
    groups: Sequence[int], source: Sequence[str | None] | None = None, taken: Sequence[datetime | None] | None = None
) -> Images:
    names = pa.array([name(group) for group in groups])
    manifest = pa.table(
        {
            "sha256": [name(-row) for row in range(len(groups))],
            "source_split": pa.array(source or [None] * len(groups), pa.string()),
            "timestamp": pa.array(taken or [None] * len(groups), pa.timestamp("us", tz="UTC")),
        }
    )
    return Images.of(manifest, pa.table({"group": names}))


def splits_of(ruled: Ruled, wish: Wish, fold: int = 0) -> list[str]:
    return [wish.splits(fold)[part] for part in ruled.parts]


def divide(groups: Sequence[int], wish: Wish, source: Sequence[str | None] | None = None) -> list[str]:
    return splits_of(apply_rule(images_of(groups, source), wish), wish)


@given(st.lists(st.tuples(st.integers(0, 20), SOURCE), min_size=1, max_size=60), WISHES)
def test_a_group_is_never_in_two_parts(rows: list[tuple[int, str | None]], wish: Wish) -> None:
    groups = np.array([number for number, _ in rows])
    parts = apply_rule(images_of(groups.tolist(), [split for _, split in rows]), wish).parts
    assert all(len(set(parts[groups == one].tolist())) == 1 for one in groups)


@given(st.sets(st.integers(), min_size=1), st.sets(st.integers()), WISHES)
def test_groups_that_come_later_move_none(old: set[int], new: set[int], wish: Wish) -> None:
    before = dict(zip(sorted(old), apply_rule(images_of(sorted(old)), wish).parts, strict=True))
    after = dict(zip(sorted(old | new), apply_rule(images_of(sorted(old | new)), wish).parts, strict=True))
    assert all(after[number] == part for number, part in before.items())


def test_shares_are_kept() -> None:
    counts = Counter(divide(range(20_000), Wish(0.1, 0.2, 0)))
    assert abs(counts["validation"] / 20_000 - 0.1) < 0.007
    assert abs(counts["test"] / 20_000 - 0.2) < 0.009


def test_the_sources_own_splits_are_kept() -> None:
    source: list[str | None] = [*["test"] * 200, *["train"] * 800]
    splits = divide(range(1000), Wish(0.1, 0.5, 0), source)
    assert splits[:200] == ["test"] * 200
    assert "test" not in splits[200:]
    assert 40 < splits.count("validation") < 130
    source[200:300] = ["validation"] * 100
    assert divide(range(1000), Wish(0.1, 0.5, 0), source).count("validation") == 100


def test_a_copy_of_a_test_image_is_not_trained_on() -> None:
    splits = divide([1, 1, 2, 2], Wish(0.1, 0.1, 0), ["train", "test", "train", "validation"])
    assert splits == ["test", "test", "validation", "validation"]


def test_another_seed_divides_otherwise() -> None:
    assert divide(range(100), Wish(0.3, 0.3, 0)) != divide(range(100), Wish(0.3, 0.3, 1))


@pytest.mark.parametrize("source", [None, [*["test"] * 300, *["validation"] * 200, *[None] * 2500]])
def test_folds_cover_all_that_is_not_test_and_each_validates_once(source: list[str | None] | None) -> None:
    wish = Wish(0.3, 0.2, 0, folds=5)
    ruled = apply_rule(images_of(range(3000), source), wish)
    divisions = [splits_of(ruled, wish, fold) for fold in range(5)]
    for each in zip(*divisions, strict=True):
        assert each == ("test",) * 5 or sorted(each) == ["train"] * 4 + ["validation"]
    tested = divisions[0].count("test")
    assert tested == 300 if source else abs(tested - 600) < 80
    assert all(abs(splits.count("validation") - (3000 - tested) / 5) < 90 for splits in divisions)


def test_a_test_image_is_one_with_and_without_folds() -> None:
    plain, folded = divide(range(500), Wish(0.1, 0.2, 0)), divide(range(500), Wish(0.1, 0.2, 0, folds=4))
    assert [split == "test" for split in plain] == [split == "test" for split in folded]


def test_cuts_by_date_and_a_group_that_spans_one_goes_with_its_latest() -> None:
    days = [datetime(2026, 1, day, 23, 59, tzinfo=UTC) for day in range(1, 31)]
    wish = Wish(0.1, 0.1, 0, validation_from=date(2026, 1, 11), test_from=date(2026, 1, 21))
    ruled = apply_rule(images_of(range(30), taken=days), wish)
    assert splits_of(ruled, wish) == ["train"] * 10 + ["validation"] * 10 + ["test"] * 10
    spanning = apply_rule(images_of([0, *range(1, 29), 0], taken=days), wish)
    assert splits_of(spanning, wish)[0] == "test" and spanning.fetched.tolist() == [True] + [False] * 29


def test_a_cut_for_test_leaves_validation_to_the_draw_and_the_source_has_the_first_word() -> None:
    days = [datetime(2026, 1, 1 + day // 100, tzinfo=UTC) for day in range(2000)]
    wish = Wish(0.2, 0.5, 0, test_from=date(2026, 1, 11))
    splits = divide_dated(days, [None] * 2000, wish)
    assert splits[1000:] == ["test"] * 1000 and "test" not in splits[:1000]
    assert 150 < splits[:1000].count("validation") < 250
    assert divide_dated(days, [*["test"] * 9, *[None] * 1990, "validation"], wish)[:9] == ["test"] * 9
    assert divide_dated(days, [*[None] * 1999, "validation"], wish)[-1] == "validation"


def divide_dated(days: list[datetime], source: list[str | None], wish: Wish) -> list[str]:
    return splits_of(apply_rule(images_of(range(len(days)), source, list(days)), wish), wish)
