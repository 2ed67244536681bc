"""Small classes: in every split, within one group of their targets, whatever the order of rows; and growth moves nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.splits.assignment import assign
from darkroom.splits.quota import FEW_GROUPS
from darkroom.splits.rule import NO_PARTITION, Assignment, SplitConfig, SplitInput, draw

REPEATED = settings(max_examples=60)
SHARES = st.sampled_from([(0.1, 0.1), (0.15, 0.15), (0.2, 0.2), (0.3, 0.05), (0.02, 0.3), (0.4, 0.5)])
CONFIGS = st.builds(lambda shares, seed: SplitConfig(shares[0], shares[1], seed), SHARES, st.integers(0, 9))


def sha(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def images_of(rows: Sequence[tuple[str, object]], source: Sequence[str | None] | None = None) -> SplitInput:
    """Images given as (class, group)."""
    manifest = pa.table(
        {
            "id": [sha(f"id {row}")[:16] for row in range(len(rows))],
            "label": [label for label, _ in rows],
            "sha256": [sha(f"image {row}") for row in range(len(rows))],
            "source_split": pa.array(source or [None] * len(rows), pa.string()),
            "timestamp": pa.nulls(len(rows), pa.timestamp("us", tz="UTC")),
        }
    )
    groups = pa.table({"group": [sha(group) for _, group in rows]})
    return SplitInput.of([(manifest, groups)], tuple(sorted({label for label, _ in rows})))


def classes_of(sizes: Sequence[int]) -> list[tuple[str, object]]:
    """So many classes of groups of one image each."""
    return [(f"class {number}", (number, each)) for number, size in enumerate(sizes) for each in range(size)]


def counts_of(images: SplitInput, assignment: Assignment, label: int) -> list[int]:
    """Groups of a class in each partition."""
    of_class = (images.label == label) & (assignment.partitions != NO_PARTITION)
    pairs = set(zip(images.group[of_class].tolist(), assignment.partitions[of_class].tolist(), strict=True))
    found = np.bincount([partition for _, partition in pairs], minlength=len(assignment.probabilities))
    return [int(number) for number in found]


def require_quotas(images: SplitInput, assignment: Assignment, sizes: Sequence[int]) -> None:
    for label, size in enumerate(sizes):
        counts = counts_of(images, assignment, label)
        assert sum(counts) == size and min(counts) >= 1
        # Test and validation; where they get a group each although their targets are below one half, training has the rest.
        targets = assignment.probabilities * size
        forced = float(np.maximum(1 - targets, 0)[:2].sum())
        assert np.abs(counts - targets)[:2].max() <= 1 and abs(counts[2] - targets[2]) <= max(1, forced) + 1e-9


@REPEATED
@given(st.lists(st.integers(3, FEW_GROUPS - 1), min_size=1, max_size=6), CONFIGS, st.randoms())
def test_every_small_class_is_in_every_split_within_one_group_of_its_target(
    sizes: list[int], config: SplitConfig, random: Random
) -> None:
    rows = classes_of(sizes)
    images = images_of(rows)
    assignment = assign(images, config)
    require_quotas(images, assignment, sizes)
    assert assignment.by_quota.all()
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = assign(images_of([rows[row] for row in order]), config).partitions
    assert shuffled.tolist() == assignment.partitions[order].tolist()


@REPEATED
@given(st.lists(st.tuples(st.integers(3, 39), st.integers(0, 60)), min_size=1, max_size=4), CONFIGS, st.integers(1, 4))
def test_growth_moves_nothing_and_keeps_the_quotas(
    growth: list[tuple[int, int]], config: SplitConfig, steps: int
) -> None:
    sizes = [old for old, _ in growth]
    images = images_of(classes_of(sizes))
    assignment = assign(images, config)
    for step in range(1, steps + 1):
        before = dict(zip(images.keys[images.group].tolist(), assignment.partitions, strict=True))
        sizes = [old + new * step // steps for old, new in growth]
        images = images_of(classes_of(sizes)[::-1])
        names = images.keys[images.group].tolist()
        previous = np.array([before.get(name, NO_PARTITION) for name in names], dtype=np.int16)
        assignment = assign(images, config, previous)
        assert all(assignment.partitions[row] == before[name] for row, name in enumerate(names) if name in before)
        small = [label for label, size in enumerate(sizes) if size < FEW_GROUPS]
        for label in small:
            require_quotas(replace(images, label=np.where(images.label == label, 0, 1)), assignment, [sizes[label]])
        drawn = draw(images, config).partitions
        large = np.array([sizes[label] >= FEW_GROUPS for label in images.label]) & ~assignment.by_quota[images.label]
        new = large & (previous == NO_PARTITION)
        assert assignment.partitions[new].tolist() == drawn[new].tolist()


@REPEATED
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=40), CONFIGS)
def test_a_group_with_images_of_several_classes_is_in_one_split(
    rows: list[tuple[int, int]], config: SplitConfig
) -> None:
    images = images_of([(f"class {label}", group) for label, group in rows])
    partitions = assign(images, config).partitions
    assert all(len(set(partitions[images.group == group].tolist())) == 1 for group in images.group)


def test_classes_that_share_all_groups_are_all_in_every_split() -> None:
    """As where every patient has images of every class: the first class places the patients, and the others follow."""
    images = images_of([(label, patient) for label in ("a", "b", "c") for patient in range(12)])
    assignment = assign(images, SplitConfig(0.2, 0.2, 0))
    counts = [counts_of(images, assignment, label) for label in range(3)]
    assert counts[0] == counts[1] == counts[2] and sorted(counts[0]) in ([2, 2, 8], [2, 3, 7], [3, 3, 6])


def test_a_class_takes_groups_of_its_own_where_shared_ones_leave_it_out() -> None:
    rows = [*(("a", group) for group in range(3)), *(("b", group) for group in (*range(2), *range(10, 14)))]
    for seed in range(20):
        images = images_of(rows)
        assignment = assign(images, SplitConfig(0.1, 0.1, seed))
        assert counts_of(images, assignment, 0) == [1, 1, 1]
        counts = counts_of(images, assignment, 1)
        assert min(counts) >= 1 and counts[:2] == [1, 1]


def test_a_class_that_others_would_leave_out_has_its_turn_before_them() -> None:
    groups = {"a": (0, 1, 2), "b": (3, 4, 5), "c": (0, 1, 3)}
    images = images_of([(label, group) for label, each in groups.items() for group in each])
    for seed in range(10):
        assignment = assign(images, SplitConfig(0.1, 0.1, seed))
        assert [counts_of(images, assignment, label) for label in range(3)] == [[1, 1, 1]] * 3


def test_120_classes_of_25_are_in_every_split_and_the_splits_have_their_shares() -> None:
    images = images_of(classes_of([25] * 120))
    assignment = assign(images, SplitConfig(0.1, 0.1, 0))
    counts = np.array([counts_of(images, assignment, label) for label in range(120)])
    assert set(counts[:, 0].tolist()) == set(counts[:, 1].tolist()) == {2, 3} and set(counts[:, 2]) <= {19, 20, 21}
    # Targets of 300 groups; with every class rounded up they would be 360.
    assert np.abs(counts.sum(axis=0) - [300, 300, 2400]).max() <= 25


def test_large_classes_are_drawn_as_if_small_ones_were_not_there() -> None:
    rows = classes_of([400, 30])
    images, config = images_of(rows), SplitConfig(0.1, 0.1, 0)
    assignment = assign(images, config)
    assert assignment.by_quota.tolist() == [False, True]
    assert assignment.partitions[:400].tolist() == draw(images_of(rows[:400]), config).partitions.tolist()


def test_a_large_class_that_the_draw_leaves_out_of_a_split_is_placed_by_quota() -> None:
    config, sizes = SplitConfig(0.01, 0.01, 0), [60]
    images = images_of(classes_of(sizes))
    assert min(np.bincount(draw(images, config).partitions, minlength=3)) == 0
    assignment = assign(images, config)
    assert assignment.by_quota.tolist() == [True] and counts_of(images, assignment, 0) == [1, 1, 58]


@pytest.mark.parametrize("folds", [2, 5, 20])
def test_a_small_class_is_in_every_fold_and_its_folds_differ_by_one_group(folds: int) -> None:
    sizes = [23, 30, 37, 25]
    images, config = images_of(classes_of(sizes)), SplitConfig(0.1, 0.1, 0, folds=folds)
    assignment = assign(images, config)
    for label, size in enumerate(sizes):
        test, *rest = counts_of(images, assignment, label)
        assert test >= 1 and abs(test - size / 10) <= 1 and min(rest) >= 1 and max(rest) - min(rest) <= 1
    # A test image is one with and without folds, where every partition can have its rounded number.
    plain = assign(images, replace(config, folds=None))
    assert folds == 20 or ((plain.partitions == 0) == (assignment.partitions == 0)).all()


def test_a_source_with_its_own_test_split_leaves_the_others_to_quotas() -> None:
    rows = classes_of([12, 12])
    source = ["test" if each < 4 else None for _ in range(2) for each in range(12)]
    images = images_of(rows, source)
    assignment = assign(images, SplitConfig(0.25, 0.1, 0))
    assert (assignment.partitions == 0).tolist() == [split == "test" for split in source]
    assert [counts_of(images, assignment, label) for label in range(2)] == [[4, 2, 6]] * 2
