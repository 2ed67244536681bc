"""Rows of an image, a request or a session are removed from parts that have ended and from the one that is being written."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.monitoring.forget import forget
from darkroom.monitoring.keyed import KEY, LogKey
from darkroom.monitoring.log_writer import PredictionLog
from darkroom.monitoring.prediction_log import log_parts, read_prediction_log
from darkroom.runtime.errors import DarkroomError
from tests.conftest import ROOT
from tests.monitoring.test_log_writer import HASH, ROW
from tests.support.tiny_bundle import make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(make_bundle(tmp_path / "bundle"))


def write(log: PredictionLog, bundle: Bundle, start: int) -> None:
    for n in range(start, start + 6):
        session = "phone" if n % 6 < 2 else None
        log.write([replace(ROW, request=f"r-{n}", sha256=f"{n % 6:064x}", session=session)], bundle, HASH)


def left(folder: Path) -> list[int]:
    names = {LogKey(folder).hash(f"r-{n}"): n for n in range(20)}
    found = pa.concat_tables(read_prediction_log(folder))["request"].to_pylist()
    return [names[each] for each in found]


def test_rows_go_from_ended_parts_and_from_the_one_in_work_and_the_writer_goes_on(
    tmp_path: Path, bundle: Bundle
) -> None:
    folder = tmp_path / "log"
    log = PredictionLog(folder, 1 << 20, lambda result, rows: None)
    write(log, bundle, 0)
    log.close()
    write(log, bundle, 6)
    before = log_parts(folder)
    found = forget(folder, ["phone", f"{5:064X}", "r-9", "r-99"])
    assert found == {"phone": 4, f"{5:064X}": 2, "r-9": 1, "r-99": 0}
    assert left(folder) == [2, 3, 4, 8, 10]
    assert log_parts(folder) == before
    log.write([replace(ROW, request="r-12")], bundle, HASH)
    assert left(folder) == [2, 3, 4, 8, 10, 12]
    log.close()
    assert left(folder) == [2, 3, 4, 8, 10, 12]
    # No trace of them is left in the bytes either.
    gone = LogKey(folder).hash("r-9").encode()
    assert not any(gone in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_part_that_ends_meanwhile_is_looked_at_again(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "log"
    log = PredictionLog(folder, 1 << 20, lambda result, rows: None)
    write(log, bundle, 0)
    (lines,) = log_parts(folder)
    packed = iter([log.close])
    monkeypatch.setattr(
        "darkroom.monitoring.forget._forget_lines", lambda path, hashes: next(packed)() or dict.fromkeys(hashes, 0)
    )
    assert forget(folder, ["r-1"]) == {"r-1": 1}
    assert left(folder) == [0, 2, 3, 4, 5] and not lines.exists()


def test_the_command_says_what_it_removed_and_what_no_row_has(tmp_path: Path, bundle: Bundle) -> None:
    folder = tmp_path / "log"
    log = PredictionLog(folder, 1 << 20, lambda result, rows: None)
    write(log, bundle, 0)
    command = [sys.executable, "-m", "darkroom.monitoring.forget", str(folder), "phone", "r-17"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "phone: 2 rows removed\nr-17: no row has it\n")
    with pytest.raises(DarkroomError, match="there is no prediction log"):
        forget(tmp_path / "nowhere", ["r-1"])


def test_a_log_without_its_key_is_told(tmp_path: Path, bundle: Bundle) -> None:
    folder = tmp_path / "log"
    write(PredictionLog(folder, 1 << 20, lambda result, rows: None), bundle, 0)
    (folder / KEY).unlink()
    with pytest.raises(DarkroomError, match="key is missing, and without the key no row"):
        forget(folder, ["r-1"])
    assert not (folder / KEY).exists()
