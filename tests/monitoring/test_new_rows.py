"""Reading on in a prediction log."""

from pathlib import Path

import pytest

from darkroom.monitoring import new_rows as reading
from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.new_rows import Marks, new_rows
from darkroom.runtime.errors import DarkroomError
from tests.support.logged import log_rows, make_watched_bundle, write_part


def read(log: Path, marks: Marks) -> list[str]:
    """The requests of the new rows; the marks go through the state's arrays."""
    key = LogKey(log)
    names = {key.hash(name): name for name in (f"{seed}-{row}" for seed in (1, 2) for row in range(6))}
    found = [names[each] for table in new_rows(log, marks) for each in table["request"].to_pylist()]
    stored = Marks.of(marks.arrays())
    assert stored == marks
    return found


def test_every_row_is_read_once_however_parts_grow_and_whichever_comes_late(tmp_path: Path) -> None:
    bundle, log, marks = make_watched_bundle(tmp_path / "bundle"), tmp_path / "log", Marks()
    first, second = log_rows(bundle, 5, seed=1), log_rows(bundle, 4, seed=2, after=2)
    write_part(log / "2026-11-27/predictions-a.jsonl", first[:3])
    assert read(log, marks) == ["1-0", "1-1", "1-2"]
    assert read(log, marks) == []
    # Another service's part comes late, with rows that are older than what was read.
    write_part(log / "2026-11-27/predictions-a.jsonl", first[3:])
    write_part(log / "2026-11-27/predictions-0.jsonl", second)
    assert read(log, marks) == ["2-0", "2-1", "2-2", "2-3", "1-3", "1-4"]


def test_rows_that_are_forgotten_change_nothing(tmp_path: Path) -> None:
    bundle, log, marks = make_watched_bundle(tmp_path / "bundle"), tmp_path / "log", Marks()
    rows, part = log_rows(bundle, 6), tmp_path / "log/2026-11-27/predictions-a.jsonl"
    write_part(part, rows[:4])
    assert len(read(log, marks)) == 4
    part.unlink()
    write_part(part, [rows[0], rows[3], rows[4], rows[5]])
    assert read(log, marks) == ["1-4", "1-5"]


def test_of_very_many_parts_old_ones_are_known_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_PARTS", 2)
    bundle, log, marks = make_watched_bundle(tmp_path / "bundle"), tmp_path / "log", Marks()
    for number, row in enumerate(log_rows(bundle, 5)):
        write_part(log / f"2026-11-27/predictions-{number}.jsonl", [row])
    assert len(read(log, marks)) == 5
    assert len(marks.parts) == 2
    assert read(log, marks) == []


def test_no_log_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match="there is no prediction log"):
        list(new_rows(tmp_path / "log", Marks()))
