"""The log of predictions: what is written is what is read, whatever ends the service, and never more than was allowed."""

import errno
import json
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from darkroom.monitoring.prediction_log import SCHEMA, log_parts, read_logged_bundle, read_prediction_log
from darkroom.monitoring.rows import PredictionRow
from darkroom.runtime.errors import DarkroomError
from serving import prediction_log as module
from serving.metrics import Metrics
from serving.model import LoadedModel, open_model
from serving.prediction_log import PredictionLog
from tests.support.tiny_bundle import CLASSES, make_bundle

Form = Literal["jsonl", "parquet"]
START = datetime(2026, 11, 28, 2, 41, 7, 512345, UTC)
MEASURED = {"width": 12.0, "height": 9.0, "aspect": 4 / 3, "bytes": 107.0} | dict.fromkeys(
    ("brightness", "contrast", "sharpness"), 0.25
)
ROW = PredictionRow(
    START, "r-1", "b" * 64, "a" * 64, "été", 0.7, False, [0.1, 0.2, 0.7], MEASURED, None
)  # fmt: skip


def rows(count: int) -> list[PredictionRow]:
    return [replace(ROW, time=START + timedelta(seconds=n), request=f"r-{n}") for n in range(count)]


def counted(registry: CollectorRegistry) -> dict[str, float]:
    found = dict[str, float]()
    for result in ("written", "dropped", "removed"):
        value = registry.get_sample_value("darkroom_log_rows_total", {"result": result})
        found |= {result: value} if value else {}
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    return open_model(make_bundle(tmp_path_factory.mktemp("log") / "bundle"), 1)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def read(folder: Path) -> pa.Table:
    return pa.concat_tables(read_prediction_log(folder))


def requests(folder: Path) -> list[str]:
    found: list[str] = read(folder)["request"].to_pylist()
    return found


@pytest.fixture(params=["jsonl", "parquet"])
def form(request: pytest.FixtureRequest) -> Iterator[Form]:
    yield request.param


def test_what_is_written_is_what_is_read(tmp_path: Path, model: LoadedModel, metrics: Metrics, form: Form) -> None:
    log = PredictionLog(tmp_path / "log", form, 1 << 20, metrics)
    unmeasured = replace(ROW, properties=None, features=[0.5, -1.0], abstained=True)
    log.write([ROW, unmeasured], model)
    log.close()
    table = read(tmp_path / "log")
    assert table.schema == SCHEMA
    first, second = table.to_pylist()
    expected = {"time": START, "request": "r-1", "bundle": "b" * 64, "sha256": "a" * 64, "label": "été"}
    expected |= {"confidence": 0.7, "abstained": False, "probabilities": [0.1, 0.2, 0.7], "features": None}
    assert first == expected | MEASURED
    assert second == expected | dict.fromkeys(MEASURED) | {"features": [0.5, -1.0], "abstained": True}
    assert counted(metrics.registry) == {"written": 2}
    found = read_logged_bundle(tmp_path / "log", model.hash)
    assert (found.classes, found.threshold, found.data_version) == (list(CLASSES), 0.6, "d" * 12)
    # Only whoever runs the service may read what it answered.
    for path in [*log_parts(tmp_path / "log"), tmp_path / "log"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_a_half_line_at_the_end_is_no_row(tmp_path: Path, model: LoadedModel, metrics: Metrics) -> None:
    log = PredictionLog(tmp_path, "jsonl", 1 << 20, metrics)
    log.write(rows(3), model)
    (part,) = log_parts(tmp_path)
    whole = part.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == 10]
    for length in (*range(ends[1] - 3, ends[1] + 3), ends[0] - 1, 1, 0):
        part.write_bytes(whole[:length])
        assert requests(tmp_path) == [f"r-{n}" for n in range(sum(end <= length for end in ends))]
    # A service that is started again leaves the half line, and begins a part of its own.
    again = PredictionLog(tmp_path, "jsonl", 1 << 20, metrics)
    part.write_bytes(whole[: ends[1] + 5])
    again.write(rows(5)[4:], model)
    assert requests(tmp_path) == ["r-0", "r-1", "r-4"]


def test_a_damaged_part_is_named(tmp_path: Path, model: LoadedModel, metrics: Metrics, form: Form) -> None:
    log = PredictionLog(tmp_path, form, 1 << 20, metrics)
    log.write(rows(3), model)
    log.close()
    (part,) = log_parts(tmp_path)
    part.write_bytes(part.read_bytes()[30:])
    with pytest.raises(DarkroomError, match=rf"{part} can't be read as a part of a prediction log"):
        read(tmp_path)
    with pytest.raises(DarkroomError, match=r"there is no prediction log .*nowhere"):
        list(read_prediction_log(tmp_path / "nowhere"))
    with pytest.raises(DarkroomError, match="is missing, which has the classes"):
        read_logged_bundle(tmp_path, "0" * 64)


def test_it_stays_within_its_size_and_the_oldest_rows_go_first(
    tmp_path: Path, model: LoadedModel, metrics: Metrics
) -> None:
    most = 40_000
    log = PredictionLog(tmp_path, "jsonl", most, metrics)
    largest = 0
    for row in rows(300):
        log.write([row], model)
        largest = max(largest, sum(path.stat().st_size for path in log_parts(tmp_path)))
    log.close()
    assert most / 2 < largest <= most
    found = requests(tmp_path)
    assert found == [f"r-{n}" for n in range(300 - len(found), 300)]
    assert counted(metrics.registry) == {"written": 300, "removed": 300 - len(found)}


def test_parquet_parts_end_by_rows_and_make_room(
    tmp_path: Path, model: LoadedModel, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PARQUET_ROWS", 10)
    log = PredictionLog(tmp_path, "parquet", 30_000, metrics)
    for row in rows(105):
        log.write([row], model)
    assert list(tmp_path.glob(".*.partial")) == []
    log.close()
    found = requests(tmp_path)
    assert found == [f"r-{n}" for n in range(105 - len(found), 105)] and 5 <= len(found) < 105
    assert counted(metrics.registry) == {"written": 105, "removed": 105 - len(found)}


def test_a_part_ends_when_its_time_is_over(
    tmp_path: Path, model: LoadedModel, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = PredictionLog(tmp_path, "parquet", 1 << 20, metrics)
    log.write(rows(1), model)
    log.tick()
    assert log_parts(tmp_path) == []
    monkeypatch.setattr(module, "PARQUET_SECONDS", -1.0)
    log.tick()
    assert requests(tmp_path) == ["r-0"]


def test_two_services_write_to_one_folder(tmp_path: Path, model: LoadedModel, metrics: Metrics) -> None:
    one, other = (PredictionLog(tmp_path, "jsonl", 1 << 20, metrics) for _ in range(2))
    for n, row in enumerate(rows(10)):
        (other if n % 2 else one).write([row], model)
    assert sorted(requests(tmp_path)) == [f"r-{n}" for n in range(10)]
    assert len(log_parts(tmp_path)) == 2


def test_no_service_removes_the_parts_of_another_that_runs(
    tmp_path: Path, model: LoadedModel, metrics: Metrics
) -> None:
    other = PredictionLog(tmp_path, "jsonl", 40_000, Metrics())
    for row in rows(60):
        other.write([row], model)
    theirs = set(log_parts(tmp_path))
    log = PredictionLog(tmp_path, "jsonl", 40_000, metrics)
    for row in rows(300):
        log.write([row], model)
    assert len(theirs) > 1 and theirs <= set(log_parts(tmp_path))
    other.close()
    del other  # as a process ends
    for row in rows(300):
        log.write([row], model)
    log.close()
    assert not theirs & set(log_parts(tmp_path))
    assert sum(path.stat().st_size for path in log_parts(tmp_path)) <= 40_000
    assert len(list(tmp_path.glob(".*.lock"))) == 1


def test_a_full_disk_is_said_once_and_counted_and_the_log_goes_on(
    tmp_path: Path,
    model: LoadedModel,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    caplog.set_level(logging.INFO, "serving")
    log = PredictionLog(tmp_path, "jsonl", 1 << 20, metrics)
    log.write(rows(1), model)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(PredictionLog, "_begin", refuse)
        full.setattr(PredictionLog, "_make_room", refuse)
        log.close()
        for row in rows(4)[1:]:
            log.write([row], model)
    log.write(rows(5)[4:], model)
    assert requests(tmp_path) == ["r-0", "r-4"]
    assert counted(metrics.registry) == {"written": 2, "dropped": 3}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "can't be written: No space left on device; rows are dropped until it can be" in said[0]
    assert "is written again" in said[1]


def test_rows_of_parquet_that_the_disk_refuses_are_counted_once(
    tmp_path: Path, model: LoadedModel, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "PARQUET_ROWS", 3)
    monkeypatch.setattr(PredictionLog, "_write_table", refuse)
    log = PredictionLog(tmp_path, "parquet", 1 << 20, metrics)
    log.write(rows(1), model)
    log.write(rows(3)[1:], model)
    assert counted(metrics.registry) == {"dropped": 3}


def test_what_it_can_not_write_to_is_refused_before_work_starts(
    tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DarkroomError, match="can't be written: Not a directory; give --prediction-log another folder"):
        PredictionLog(tmp_path / "file/log", "jsonl", 1 << 20, metrics)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        DarkroomError, match="needs the package pyarrow: install it, or take --prediction-log-form jsonl"
    ):
        PredictionLog(tmp_path / "log", "parquet", 1 << 20, metrics)


def test_a_line_is_plain_json(tmp_path: Path) -> None:
    line = ROW.to_json()
    assert line.endswith(b"}\n") and line.count(b"\n") == 1
    assert json.loads(line)["time"] == "2026-11-28T02:41:07.512345Z"
    assert list(json.loads(line))[:7] == ["time", "request", "bundle", "sha256", "label", "confidence", "abstained"]
