"""Arrivals: rows that are new in a searched cell, or in a cell that is newly searched, within the bound of the query."""

import numpy as np
import pytest

from darkroom.duplicates import arrivals as arrivals_module
from darkroom.duplicates.arrivals import arrivals, beyond
from darkroom.duplicates.described import Described
from darkroom.duplicates.earlier import LISTED
from darkroom.duplicates.nearest import ALL


def test_distances_beyond_bounds_are_exact_up_to_the_largest() -> None:
    random = np.random.default_rng(0)
    points, others = (np.round(random.normal(0, 190, (50, 27))).astype(np.int16) for _ in range(2))
    bounds = random.integers(-1, 2**22, 50).astype(np.int32)
    apart = np.square(points[:, None].astype(np.int64) - others).sum(2)
    assert np.array_equal(beyond(points, bounds, others), apart - bounds[:, None])
    assert (beyond(points, np.full(50, ALL, np.int32), others) < 0).all()


@pytest.mark.parametrize("values", [3, 400])
def test_arrivals_are_those_that_comparing_all_finds(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With few different values many rows are equally near."""
    monkeypatch.setattr(arrivals_module, "PIECE", 30)
    monkeypatch.setattr(arrivals_module, "READ", 8)
    random = np.random.default_rng(values)
    far = random.integers(0, 2, 200).astype(np.uint8)
    points = random.integers(0, values, (200 + int(far.sum()), 27)).astype(np.int16)
    ids = np.arange(200, dtype=np.uint64)
    described = Described(ids, ids, np.zeros(200, np.bool_), far, points)
    cells, moved = random.integers(0, 5, 200).astype(np.int32), random.random(200) < 0.5
    searched = np.argsort(random.random((len(points), 6)), axis=1)[:, :3].astype(np.int32) - 1
    entered = np.arange(40), searched[:40, 2].astype(np.int64)
    rows = described.descriptors(slice(None))
    apart = np.square(points[:, None].astype(np.int64) - rows).sum(2)
    bounds = np.median(apart, axis=1).astype(np.int32)
    bounds[::7] = -1
    found = arrivals(described, bounds, lambda first, last: searched[first:last], entered, cells, moved)
    keys = apart << 32 | np.arange(200)
    expected = []
    for query in range(len(points)):
        for cell in searched[query]:
            new = (cells == cell) & (apart[query] <= bounds[query])
            expected += [(query, key) for key in np.sort(keys[query, new & moved])[: LISTED + 1]]
            if query < 40 and cell == entered[1][query]:
                expected += [(query, key) for key in np.sort(keys[query, new & ~moved])[: LISTED + 1]]
    assert list(zip(found.queries.tolist(), found.keys.tolist(), strict=True)) == sorted(expected)
    part = found.of(30, 60)
    assert [(query + 30, key) for query, key in zip(part.queries, part.keys, strict=True)] == [
        each for each in sorted(expected) if 30 <= each[0] < 60
    ]
