"""Measured pairs: those of an earlier run are taken over, and are what a run from nothing measures."""

from pathlib import Path

import numpy as np
import pytest

from darkroom.duplicates.pairs import MeasuredPairs
from darkroom.runtime.arrays import Int64s, UInt8s

ONE, OTHER = np.array([0, 1, 2, 7]), np.array([1, 3, 9, 8])


def thumbnails() -> UInt8s:
    return np.random.default_rng(0).integers(0, 256, (10, 8, 8), np.uint8).repeat(4, 1).repeat(4, 2)


def measured(folder: Path, rows: Int64s, read: list[int], identity: str = "") -> MeasuredPairs:
    """Of the pictures at `rows`; notes in `read` which are read."""

    def reading(some: Int64s) -> UInt8s:
        read.extend(rows[some].tolist())
        return np.asarray(thumbnails()[rows[some]], np.uint8)

    sides = np.full(len(rows), 64, np.int32)
    return MeasuredPairs(reading, rows.astype(np.uint64), sides, folder, identity)


def test_only_pairs_that_no_earlier_run_measured_are_read(tmp_path: Path) -> None:
    read: list[int] = []
    first = measured(tmp_path / "kept", np.arange(10), read)
    values = first.of(ONE, OTHER).values
    first.keep()
    assert sorted(read) == [0, 1, 2, 3, 7, 8, 9]
    read.clear()
    rows = np.array([0, 1, 3, 4, 7, 8])  # the others are gone
    second = measured(tmp_path / "kept", rows, read)
    found = second.of(np.array([0, 1, 2, 4]), np.array([1, 2, 3, 5])).values
    assert sorted(read) == [3, 4]
    nothing = measured(tmp_path / "nothing", rows, [])
    assert np.array_equal(found, nothing.of(np.array([0, 1, 2, 4]), np.array([1, 2, 3, 5])).values)
    assert np.array_equal(found[[0, 1, 3]], values[[0, 1, 3]])
    second.keep()
    read.clear()
    measured(tmp_path / "kept", np.arange(10), read).of(ONE, OTHER)
    assert sorted(read) == [2, 9], "what was not asked for is forgotten"


def test_damaged_and_other_measures_are_not_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = measured(tmp_path / "kept", np.arange(10), [])
    values = first.of(ONE, OTHER).values
    first.keep()
    read: list[int] = []
    measured(tmp_path / "kept", np.arange(10), read, "another").of(ONE, OTHER)
    assert len(read) == 7 and capsys.readouterr().out == ""
    content = bytearray((tmp_path / "kept/values").read_bytes())
    content[9] ^= 1
    (tmp_path / "kept/values").write_bytes(content)
    assert np.array_equal(measured(tmp_path / "kept", np.arange(10), []).of(ONE, OTHER).values, values)
    assert "is damaged: it is computed again" in capsys.readouterr().out


def test_expected_rows_are_read_once_and_only_when_one_is_new(tmp_path: Path) -> None:
    read: list[int] = []
    pairs = measured(tmp_path / "kept", np.arange(10), read)
    pairs.of(ONE, OTHER)
    pairs.keep()
    read.clear()
    again = measured(tmp_path / "kept", np.arange(10), read)
    again.expect(np.array([[0, 1], [1, 3]]))
    again.of(ONE[:2], OTHER[:2])
    assert read == []
    found = [again.of(np.array([one]), np.array([3])).values for one in (0, 1)]
    assert read == [0, 1, 3]
    nothing = measured(tmp_path / "nothing", np.arange(10), [])
    assert np.array_equal(np.concatenate(found), nothing.of(np.array([0, 1]), np.array([3, 3])).values)
