"""The draw: groups together, shares as targeted, the source's own splits respected, and splits by date."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.splits.rule import NO_PARTITION, TEST, VALIDATION, Assignment, SplitConfig, SplitInput, draw

SOURCE = st.sampled_from([None, "train", "validation", "test"])
CONFIGS = st.builds(SplitConfig, st.just(0.2), st.just(0.2), st.integers(0, 5), st.sampled_from([None, 2, 5]))


def name(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def images_of(
    groups: Sequence[int],
    source: Sequence[str | None] | None = None,
    timestamps: Sequence[datetime | None] | None = None,
) -> SplitInput:
    names = pa.array([name(group) for group in groups])
    manifest = pa.table(
        {
            "id": [name(-row)[:16] for row in range(len(groups))],
            "label": ["one"] * len(groups),
            "sha256": [name(-row) for row in range(len(groups))],
            "source_split": pa.array(source or [None] * len(groups), pa.string()),
            "timestamp": pa.array(timestamps or [None] * len(groups), pa.timestamp("us", tz="UTC")),
        }
    )
    return SplitInput.of([(manifest, pa.table({"group": names}))], ("one",))


def splits_of(assignment: Assignment, config: SplitConfig, fold: int = 0) -> list[str]:
    return [config.splits(fold)[partition] for partition in assignment.partitions]


def split_all(groups: Sequence[int], config: SplitConfig, source: Sequence[str | None] | None = None) -> list[str]:
    return splits_of(draw(images_of(groups, source), config), config)


@given(st.lists(st.tuples(st.integers(0, 20), SOURCE), min_size=1, max_size=60), CONFIGS)
def test_a_group_is_never_in_two_partitions_and_the_sources_test_split_is_exact(
    rows: list[tuple[int, str | None]], config: SplitConfig
) -> None:
    groups, source = np.array([number for number, _ in rows]), [split for _, split in rows]
    partitions = draw(images_of(groups.tolist(), source), config).partitions
    assert all(len(set(partitions[groups == one].tolist()) - {NO_PARTITION}) == 1 for one in groups)
    if "test" in source:
        assert [split == "test" for split in source] == (partitions == TEST).tolist()
    beside_test = np.isin(groups, [number for number, split in rows if split == "test"])
    validation = np.array([split == "validation" for split in source])
    if config.folds is None and validation.any():
        assert (validation & ~beside_test).tolist() == (partitions == VALIDATION).tolist()


@given(st.sets(st.integers(), min_size=1), st.sets(st.integers()), CONFIGS)
def test_groups_that_come_later_move_none(old: set[int], new: set[int], config: SplitConfig) -> None:
    before = dict(zip(sorted(old), draw(images_of(sorted(old)), config).partitions, strict=True))
    after = dict(zip(sorted(old | new), draw(images_of(sorted(old | new)), config).partitions, strict=True))
    assert all(after[number] == partition for number, partition in before.items())


def test_shares_are_near_the_targets() -> None:
    counts = Counter(split_all(range(20_000), SplitConfig(0.1, 0.2, 0)))
    assert abs(counts["validation"] / 20_000 - 0.1) < 0.007
    assert abs(counts["test"] / 20_000 - 0.2) < 0.009


def test_the_sources_own_splits_are_respected() -> None:
    source: list[str | None] = [*["test"] * 200, *["train"] * 800]
    splits = split_all(range(1000), SplitConfig(0.1, 0.5, 0), source)
    assert splits[:200] == ["test"] * 200
    assert "test" not in splits[200:]
    assert 40 < splits.count("validation") < 130
    source[200:300] = ["validation"] * 100
    assert split_all(range(1000), SplitConfig(0.1, 0.5, 0), source).count("validation") == 100


def test_copies_of_what_the_source_puts_into_test_or_validation_are_in_no_split() -> None:
    source = ["train", "test", "test", "validation", None, None, "train", "validation", "train"]
    splits = split_all([1, 1, 1, 1, 1, 2, 2, 2, 3], SplitConfig(0.1, 0.1, 0), source)
    assert splits == [
        *("excluded", "test", "test", "excluded", "excluded"),
        *("excluded", "excluded", "validation"),
        "train",
    ]
    # With folds the source's validation images are divided with the rest.
    folded = split_all([1, 1, 2, 2], SplitConfig(0.1, 0.1, 0, folds=2), ["test", "validation", "validation", "train"])
    assert folded[:2] == ["test", "excluded"] and folded[2] == folded[3] != "test"


def test_another_seed_gives_another_split() -> None:
    assert split_all(range(100), SplitConfig(0.3, 0.3, 0)) != split_all(range(100), SplitConfig(0.3, 0.3, 1))


@pytest.mark.parametrize("source", [None, [*["test"] * 300, *["validation"] * 200, *[None] * 2500]])
def test_folds_cover_all_that_is_not_test_and_each_validates_once(source: list[str | None] | None) -> None:
    config = SplitConfig(0.3, 0.2, 0, folds=5)
    assignment = draw(images_of(range(3000), source), config)
    by_fold = [splits_of(assignment, config, fold) for fold in range(5)]
    for each in zip(*by_fold, strict=True):
        assert each == ("test",) * 5 or sorted(each) == ["train"] * 4 + ["validation"]
    tested = by_fold[0].count("test")
    assert tested == 300 if source else abs(tested - 600) < 80
    assert all(abs(splits.count("validation") - (3000 - tested) / 5) < 90 for splits in by_fold)


def test_a_test_image_is_one_with_and_without_folds() -> None:
    plain, folded = (
        split_all(range(500), SplitConfig(0.1, 0.2, 0)),
        split_all(range(500), SplitConfig(0.1, 0.2, 0, folds=4)),
    )
    assert [split == "test" for split in plain] == [split == "test" for split in folded]


def test_splits_by_date_and_of_a_group_that_spans_one_the_earlier_images_are_in_no_split() -> None:
    days = [datetime(2026, 1, day, 23, 59, tzinfo=UTC) for day in range(1, 31)]
    config = SplitConfig(0.1, 0.1, 0, validation_from=date(2026, 1, 11), test_from=date(2026, 1, 21))
    assignment = draw(images_of(range(30), timestamps=days), config)
    assert splits_of(assignment, config) == ["train"] * 10 + ["validation"] * 10 + ["test"] * 10
    spanning = draw(images_of([0, *range(1, 29), 0], timestamps=days), config)
    assert splits_of(spanning, config) == ["excluded"] + ["train"] * 9 + ["validation"] * 10 + ["test"] * 10
    assert spanning.by_date.tolist() == [True] + [False] * 9 + [True] * 20


def test_a_date_for_test_leaves_validation_to_sampling_and_the_source_goes_first() -> None:
    days = [datetime(2026, 1, 1 + day // 100, tzinfo=UTC) for day in range(2000)]
    config = SplitConfig(0.2, 0.5, 0, test_from=date(2026, 1, 11))
    splits = split_by_date(days, [None] * 2000, config)
    assert splits[1000:] == ["test"] * 1000 and "test" not in splits[:1000]
    assert 150 < splits[:1000].count("validation") < 250
    assert split_by_date(days, [*["test"] * 9, *[None] * 1990, "validation"], config)[:9] == ["test"] * 9
    assert split_by_date(days, [*[None] * 1999, "validation"], config)[-1] == "validation"


def split_by_date(days: list[datetime], source: list[str | None], config: SplitConfig) -> list[str]:
    return splits_of(draw(images_of(range(len(days)), source, list(days)), config), config)
