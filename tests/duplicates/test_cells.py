"""Neighbours by cells: what an earlier run kept changes no result, whatever was added, removed or changed."""

from pathlib import Path

import numpy as np
import pytest

from darkroom.duplicates import candidates as candidates_module
from darkroom.duplicates import cells
from darkroom.duplicates.candidates import candidates
from darkroom.duplicates.cells import CellSearch, cell_count, lowest
from darkroom.duplicates.described import describe_images
from darkroom.duplicates.earlier import CROWD, LOOKED_AT
from darkroom.runtime.arrays import Int64s, UInt8s, UInt64s


@pytest.fixture(autouse=True)
def low_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hundred pictures are then in many cells, worked on in several pieces."""
    monkeypatch.setattr(candidates_module, "EXACT", 60)
    monkeypatch.setattr(cells, "CELLS_SEARCHED", 5)
    monkeypatch.setattr(cells, "PIECE", 150)


def pictures(kind: str) -> UInt8s:
    """Thumbnails that have near neighbours; `tied` ones have many at equal distances."""
    random = np.random.default_rng(1)
    if kind == "tied":
        base = random.integers(0, 256, (6, 4, 4))[random.integers(0, 6, 400)]
        base[np.arange(400), random.integers(0, 4, 400), 0] += random.integers(0, 2, 400)
    else:
        base = random.integers(0, 256, (80, 4, 4))[random.integers(0, 80, 400)]
        base += np.round(random.normal(0, 9, base.shape)).astype(np.int64)
    return np.asarray(base.clip(0, 255).astype(np.uint8).repeat(8, 1).repeat(8, 2), np.uint8)


def found(thumbnails: UInt8s, ids: Int64s, cache: Path) -> tuple[list[list[int]], list[float]]:
    described = describe_images(thumbnails.__getitem__, ids.astype(np.uint64), cache / "described", "")
    pairs, crowd = candidates(thumbnails.__getitem__, described, cache / "neighbours", "")
    return pairs.tolist(), crowd.tolist()


def by_hand(thumbnails: UInt8s, ids: UInt64s, folder: Path) -> list[list[int]]:
    """The first 17 neighbours of each query, by the distance and the row."""
    described = describe_images(thumbnails.__getitem__, ids, folder, "")
    points = described.descriptors(slice(None)).astype(np.int64)
    middles = lowest(described, cell_count(len(points)))
    queries, _ = described.queries(0, len(points))

    def apart(one: Int64s, others: Int64s) -> Int64s:
        return np.asarray(np.square(others - one).sum(1))

    cell = np.array([apart(point, points[middles]).argmin() for point in points])
    nearest = []
    for query in queries.astype(np.int64):
        searched = np.argsort(apart(query, points[middles]), kind="stable")[: cells.CELLS_SEARCHED]
        inside = np.flatnonzero(np.isin(cell, searched))
        nearest.append(inside[np.argsort(apart(query, points[inside]), kind="stable")[: CROWD + 1]].tolist())
    return nearest


@pytest.mark.parametrize("kind", ["near", "tied"])
def test_neighbours_are_the_nearest_in_the_nearest_cells_in_each_of_several_runs(kind: str, tmp_path: Path) -> None:
    thumbnails, random = pictures(kind), np.random.default_rng(2)
    taken = np.sort(random.permutation(400)[:330])
    for turn in range(3):
        ids = taken.astype(np.uint64)
        described = describe_images(thumbnails[taken].__getitem__, ids, tmp_path / f"described {turn}", "")
        made = tmp_path / str(turn + 1)
        made.mkdir()
        search = CellSearch(described, tmp_path / str(turn), made, "")
        lists = []
        for part in search.parts():
            lists += [[row for row in rows if row >= 0] for rows in part.nearest.rows[:, : CROWD + 1].tolist()]
            search.keep(part, np.zeros((len(part.of), LOOKED_AT + 1), np.float32))
        search.seal()
        assert lists == by_hand(thumbnails[taken], ids, tmp_path / f"again {turn}")
        left = np.setdiff1d(taken, random.permutation(taken)[: 12 * turn])
        taken = np.sort(np.concatenate([left, random.permutation(np.setdiff1d(np.arange(400), taken))[:15]]))


@pytest.mark.parametrize("kind", ["near", "tied"])
def test_a_run_after_others_finds_the_pairs_of_a_run_from_nothing(kind: str, tmp_path: Path) -> None:
    thumbnails = pictures(kind)
    everything = np.arange(400)
    some = np.setdiff1d(everything, np.arange(40, 60))
    for turn, rows in enumerate([some, everything, np.setdiff1d(everything, np.arange(300, 303))]):
        result = found(thumbnails[rows], rows, tmp_path / "kept")
        assert result == found(thumbnails[rows], rows, tmp_path / f"from nothing {turn}")
        assert len(result[0]) > 50


def changed(rows: Int64s, random: np.random.Generator) -> Int64s:
    """Some rows removed and others added, in one place or scattered; sometimes all in another order, as after new paths."""
    count, gone = int(random.integers(0, 25)), int(random.integers(0, 25))
    if random.random() < 0.5:
        left = random.permutation(rows)[gone:]
        new = random.permutation(np.setdiff1d(np.arange(400), left))[:count]
    else:
        start, place = (int(random.integers(0, len(rows) - 25)) for _ in range(2))
        left = np.delete(rows, slice(start, start + gone))
        new = np.setdiff1d(np.arange(400), left)[place : place + count]
    together = np.union1d(left, new)
    return random.permutation(together) if random.random() < 0.2 else together


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["near", "tied"])
def test_any_history_leaves_what_a_run_from_nothing_finds(kind: str, seed: int, tmp_path: Path) -> None:
    thumbnails, random = pictures(kind), np.random.default_rng(seed)
    rows = np.sort(random.permutation(400)[:320])
    for turn in range(8):
        kept = found(thumbnails[rows], rows, tmp_path / "kept")
        assert kept == found(thumbnails[rows], rows, tmp_path / f"from nothing {turn}"), turn
        rows = changed(rows, random)


def test_a_damaged_cache_is_computed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thumbnails, rows = pictures("near"), np.arange(400)
    result = found(thumbnails, rows, tmp_path)
    capsys.readouterr()
    for name in ("neighbours/neighbours", "neighbours/nearest_cells", "neighbours/ids", "described/points"):
        content = bytearray((tmp_path / name).read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / name).write_bytes(content)
        assert found(thumbnails, rows, tmp_path) == result
        assert f"{tmp_path / name.split('/')[0]} is damaged: it is computed again" in capsys.readouterr().out
    (tmp_path / "neighbours/cells").unlink()
    assert found(thumbnails, rows, tmp_path) == result
