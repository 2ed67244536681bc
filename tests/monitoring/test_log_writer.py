"""The log of predictions: what is written is what is read, whatever ends its writer, and never more than was allowed."""

import errno
import json
import logging
import os
import stat
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.monitoring import log_writer as module
from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.log_writer import PredictionLog
from darkroom.monitoring.prediction_log import SCHEMA, log_parts, read_logged_bundle, read_prediction_log
from darkroom.monitoring.rows import PROPERTIES, PredictionRow
from darkroom.runtime.errors import DarkroomError
from tests.support.tiny_bundle import CLASSES, make_bundle

HASH = "b" * 64
START = datetime(2026, 11, 28, 2, 41, 7, 512345, UTC)
MEASURED = {"width": 12.0, "height": 9.0, "aspect": 1.25, "bytes": 107.0} | dict.fromkeys(
    ("brightness", "contrast", "sharpness"), 0.25
)
ROW = PredictionRow(START, "r-1", HASH, "a" * 64, None, "été", 0.75, False, [0.125, 0.125, 0.75], MEASURED, None)


def rows(count: int) -> list[PredictionRow]:
    return [replace(ROW, time=START + timedelta(seconds=n), request=f"r-{n}") for n in range(count)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(make_bundle(tmp_path_factory.mktemp("log") / "bundle"))


@pytest.fixture
def counted() -> Counter[str]:
    return Counter()


@pytest.fixture
def opened(tmp_path: Path, counted: Counter[str]) -> Callable[[int], PredictionLog]:
    """A log in the test's own folder, of so many bytes."""
    return lambda most: PredictionLog(tmp_path, most, lambda result, rows: counted.update({result: rows}))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow is not installed, as far as the writer knows."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def read(folder: Path) -> pa.Table:
    return pa.concat_tables(read_prediction_log(folder))


def requests(folder: Path) -> list[str]:
    """The ids of the requests, which the log has as hashes."""
    names = {LogKey(folder).hash(name): name for name in (f"r-{n}" for n in range(1000))}
    return [names[each] for each in read(folder)["request"].to_pylist()]


@pytest.mark.parametrize("ended", [False, True])
def test_what_is_written_is_what_is_read(
    tmp_path: Path, bundle: Bundle, opened: Callable[[int], PredictionLog], counted: Counter[str], ended: bool
) -> None:
    log = opened(1 << 20)
    unmeasured = replace(ROW, properties=None, features=[0.5, -1.0], abstained=True, session="phone")
    log.write([ROW, unmeasured], bundle, HASH)
    if ended:
        log.close()
    (part,) = log_parts(tmp_path)
    assert (part.suffix, part.parent.name) == (".parquet" if ended else ".jsonl", f"{datetime.now(UTC):%Y-%m-%d}")
    table = read(tmp_path)
    assert table.schema == SCHEMA
    first, second = table.to_pylist()
    key = LogKey(tmp_path)
    expected = {"time": START, "request": key.hash("r-1"), "bundle": HASH, "image": key.hash("a" * 64), "label": "été"}
    expected |= {"confidence": 0.75, "abstained": False, "probabilities": [0.125, 0.125, 0.75], "features": None}
    assert first == expected | MEASURED | {"session": None}
    assert second == expected | dict.fromkeys(MEASURED) | {
        "features": [0.5, -1.0],
        "abstained": True,
        "session": key.hash("phone"),
    }
    assert counted == {"written": 2}
    found = read_logged_bundle(tmp_path, HASH)
    assert (found.classes, found.threshold, found.data_version) == (list(CLASSES), 0.6, "d" * 12)
    # Only whoever runs the service may read what it answered.
    for path in [*log_parts(tmp_path), tmp_path / "key", part.parent]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_row_takes_some_hundred_bytes(tmp_path: Path, bundle: Bundle, opened: Callable[[int], PredictionLog]) -> None:
    rng, log, count = np.random.default_rng(0), opened(1 << 30), 5_000
    for n in range(count):
        probabilities = rng.dirichlet(np.full(10, 0.1)).astype(np.float32).round(7).tolist()
        measured = {name: float(np.float32(value)) for name, value in zip(PROPERTIES, rng.random(7), strict=True)}
        measured |= {"width": 28.0, "height": 28.0, "aspect": 1.0, "bytes": float(rng.integers(300, 700))}
        row = replace(ROW, time=START + timedelta(microseconds=7_919 * n), request=f"{n:032x}", sha256=f"{n:064x}")
        log.write([replace(row, probabilities=probabilities, properties=measured)], bundle, HASH)
    log.close()
    (part,) = log_parts(tmp_path)
    assert part.suffix == ".parquet" and part.stat().st_size / count < 110


def test_a_half_line_at_the_end_is_no_row(
    tmp_path: Path, bundle: Bundle, opened: Callable[[int], PredictionLog]
) -> None:
    log = opened(1 << 20)
    log.write(rows(3), bundle, HASH)
    (part,) = log_parts(tmp_path)
    whole = part.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    for length in (*range(ends[1] - 3, ends[1] + 3), ends[0] - 1, 1, 0):
        part.write_bytes(whole[:length])
        assert requests(tmp_path) == [f"r-{n}" for n in range(sum(end <= length for end in ends))]
    # A writer that begins again leaves the half line, and begins a part of its own.
    part.write_bytes(whole[: ends[1] + 5])
    again = opened(1 << 20)
    again.write(rows(5)[4:], bundle, HASH)
    assert requests(tmp_path) == ["r-0", "r-1", "r-4"]


def test_parts_that_killed_writers_left_are_packed_by_the_next(
    tmp_path: Path, bundle: Bundle, opened: Callable[[int], PredictionLog], counted: Counter[str]
) -> None:
    killed = opened(1 << 20)
    killed.write(rows(3), bundle, HASH)
    (part,) = log_parts(tmp_path)
    part.write_bytes(part.read_bytes()[:-5])
    del killed  # as a process ends
    opened(1 << 20).write(rows(5)[4:], bundle, HASH)
    assert [path.suffix for path in log_parts(tmp_path)] == [".parquet", ".jsonl"]
    assert requests(tmp_path) == ["r-0", "r-1", "r-4"]
    assert len(list(tmp_path.glob(".*.lock"))) == 1


@pytest.mark.parametrize("ended", [False, True])
def test_a_damaged_part_is_named(
    tmp_path: Path, bundle: Bundle, opened: Callable[[int], PredictionLog], ended: bool
) -> None:
    log = opened(1 << 20)
    log.write(rows(3), bundle, HASH)
    if ended:
        log.close()
    (part,) = log_parts(tmp_path)
    part.write_bytes(part.read_bytes()[30:])
    with pytest.raises(DarkroomError, match=rf"{part} can't be read as a part of a prediction log"):
        read(tmp_path)
    with pytest.raises(DarkroomError, match=r"there is no prediction log .*nowhere"):
        list(read_prediction_log(tmp_path / "nowhere"))
    with pytest.raises(DarkroomError, match="is missing, which has the classes"):
        read_logged_bundle(tmp_path, "0" * 64)
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(DarkroomError, match="key has 5 bytes, and a key 32"):
        opened(1 << 20)


@pytest.mark.usefixtures("plain")
def test_it_stays_within_its_size_and_the_oldest_rows_go_first(
    tmp_path: Path, bundle: Bundle, opened: Callable[[int], PredictionLog], counted: Counter[str]
) -> None:
    most = 40_000
    log = opened(most)
    largest = 0
    for row in rows(300):
        log.write([row], bundle, HASH)
        largest = max(largest, sum(path.stat().st_size for path in log_parts(tmp_path)))
    log.close()
    assert most / 2 < largest <= most
    found = requests(tmp_path)
    assert found == [f"r-{n}" for n in range(300 - len(found), 300)]
    assert counted == {"written": 300, "removed": 300 - len(found)}


def test_packed_parts_make_room_and_end_by_rows(
    tmp_path: Path,
    bundle: Bundle,
    opened: Callable[[int], PredictionLog],
    counted: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PART_ROWS", 10)
    log = opened(60_000)
    for row in rows(205):
        log.write([row], bundle, HASH)
    assert {path.suffix for path in log_parts(tmp_path)[:-1]} == {".parquet"}
    found = requests(tmp_path)
    assert found == [f"r-{n}" for n in range(205 - len(found), 205)] and 15 <= len(found) < 205
    assert counted == {"written": 205, "removed": 205 - len(found)}


def test_a_part_ends_with_its_time_or_its_day(
    tmp_path: Path, bundle: Bundle, opened: Callable[[int], PredictionLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(1 << 20)
    for n, row in enumerate(rows(3)):
        monkeypatch.setattr(module, "_today", lambda n=n: f"2026-11-2{n}")
        log.tick()
        log.write([row], bundle, HASH)
    assert [(path.parent.name, path.suffix) for path in log_parts(tmp_path)] == [
        ("2026-11-20", ".parquet"),
        ("2026-11-21", ".parquet"),
        ("2026-11-22", ".jsonl"),
    ]
    monkeypatch.setattr(log, "_part_seconds", -1.0)
    log.tick()
    assert {path.suffix for path in log_parts(tmp_path)} == {".parquet"}
    assert requests(tmp_path) == ["r-0", "r-1", "r-2"]


@pytest.mark.usefixtures("plain")
def test_no_writer_removes_the_parts_of_another_that_runs(
    tmp_path: Path, bundle: Bundle, opened: Callable[[int], PredictionLog]
) -> None:
    other = opened(40_000)
    for row in rows(60):
        other.write([row], bundle, HASH)
    theirs = set(log_parts(tmp_path))
    log = opened(40_000)
    for row in rows(300):
        log.write([row], bundle, HASH)
    assert len(theirs) > 1 and theirs <= set(log_parts(tmp_path))
    other.close()
    del other  # as a process ends
    for row in rows(300):
        log.write([row], bundle, HASH)
    log.close()
    assert not theirs & set(log_parts(tmp_path))
    assert sum(path.stat().st_size for path in log_parts(tmp_path)) <= 40_000
    assert len(list(tmp_path.glob(".*.lock"))) == 1


def test_a_full_disk_is_said_once_and_counted_and_the_log_goes_on(
    tmp_path: Path,
    bundle: Bundle,
    opened: Callable[[int], PredictionLog],
    counted: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    caplog.set_level(logging.INFO, "darkroom")
    log = opened(1 << 20)
    log.write(rows(1), bundle, HASH)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(PredictionLog, "_begin", refuse)
        full.setattr(PredictionLog, "_make_room", refuse)
        full.setattr(module, "_pack", refuse)
        log.close()
        for row in rows(4)[1:]:
            log.write([row], bundle, HASH)
    log.write(rows(5)[4:], bundle, HASH)
    assert requests(tmp_path) == ["r-0", "r-4"]
    assert counted == {"written": 2, "dropped": 3}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert "stays JSON lines: its Parquet can't be written: No space left on device" in said[0]
    assert "can't be written: No space left on device; rows are dropped until it can be" in said[1]
    assert "is written again" in said[2]


def test_what_it_can_not_write_to_is_refused_before_work_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DarkroomError, match="can't be written: Not a directory; give another folder"):
        PredictionLog(tmp_path / "file/log", 1 << 20, lambda result, rows: None)


def test_a_line_is_plain_json(tmp_path: Path) -> None:
    line = ROW.to_json(LogKey(tmp_path))
    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    assert json.loads(line)["time"] == "2026-11-28T02:41:07.512345Z"
    assert list(json.loads(line)) == SCHEMA.names
