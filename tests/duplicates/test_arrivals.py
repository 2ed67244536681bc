"""Arrivals: rows that are new in a searched cell, or in a cell that is newly searched, within the bound of the query."""

import numpy as np
import pytest

from darkroom.duplicates import arrivals as arrivals_module
from darkroom.duplicates.arrivals import arrivals, beyond
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
    random = np.random.default_rng(values)
    points, rows = (random.integers(0, values, (count, 27)).astype(np.int16) for count in (100, 300))
    cells, moved = random.integers(0, 5, 300), random.random(300) < 0.5
    searched = np.argsort(random.random((100, 6)), axis=1)[:, :3].astype(np.uint8)  # cell 5 is none
    entered = np.arange(40), searched[:40, 2].astype(np.int64)
    apart = np.square(points[:, None].astype(np.int64) - rows).sum(2)
    bounds = np.median(apart, axis=1).astype(np.int32)
    bounds[::7] = -1
    found = arrivals(points, bounds, searched, entered, rows, cells, moved)
    keys = apart << 32 | np.arange(300)
    expected = []
    for query in range(100):
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
