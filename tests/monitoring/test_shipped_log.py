"""A prediction log in an object store: what is written here is read there, rows are forgotten there, nothing is lost."""

import stat
import uuid
from dataclasses import replace
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from darkroom.bundle.bundle import Bundle, load_bundle
from darkroom.monitoring import forget as forgetting
from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.log_copy import local_log
from darkroom.monitoring.prediction_log import log_parts, read_logged_bundle, read_prediction_log
from darkroom.monitoring.shipped_log import ShippedLog
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import ObjectStore
from tests.monitoring.test_log_writer import HASH, ROW
from tests.support.tiny_bundle import make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(make_bundle(tmp_path / "bundle"))


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    on_machine(monkeypatch, tmp_path, "one")
    return f"memory://{uuid.uuid4().hex}/log"


def on_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """From now on it is another machine, with the same store."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / name))


def write(url: str, bundle: Bundle, requests: range) -> None:
    shipped = ShippedLog(url, 1 << 20, lambda result, rows: None)
    shipped.log.write([replace(ROW, request=f"r-{n}", sha256=f"{n:064x}") for n in requests], bundle, HASH)
    shipped.log.close()
    shipped.close()
    shipped.log._lock.close()  # as the end of its process does


def requests(folder: Path) -> list[int]:
    names = {LogKey(folder).hash(f"r-{n}"): n for n in range(20)}
    return [names[each] for each in pa.concat_tables(read_prediction_log(folder))["request"].to_pylist()]


def test_what_two_machines_write_a_third_reads(
    url: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(url, bundle, range(3))
    assert not list((tmp_path / "one").rglob("predictions-*")), "what was sent is not kept here"
    on_machine(monkeypatch, tmp_path, "two")
    write(url, bundle, range(3, 5))
    on_machine(monkeypatch, tmp_path, "three")
    folder = local_log(url)
    assert requests(folder) == [0, 1, 2, 3, 4], "one key hashes the rows of both"
    assert read_logged_bundle(folder, HASH).classes == list(bundle.classes.names)
    assert stat.S_IMODE((folder / "key").stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_copy_fetches_what_is_new_and_drops_what_is_gone(
    url: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(url, bundle, range(3))
    first = log_parts(local_log(url))
    write(url, bundle, range(3, 5))
    read: list[str] = []
    original = ObjectStore.read
    monkeypatch.setattr(ObjectStore, "read", lambda store, name: read.append(name) or original(store, name))  # type: ignore[func-returns-value]
    folder = local_log(url)
    assert requests(folder) == [0, 1, 2, 3, 4]
    assert len([name for name in read if "predictions-" in name]) == 1
    ObjectStore.open(url).remove(first[0].relative_to(folder).as_posix())
    assert requests(local_log(url)) == [3, 4]


def test_rows_are_forgotten_in_the_store(
    url: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(url, bundle, range(3))
    write(url, bundle, range(3, 5))
    monkeypatch.setattr("sys.argv", ["forget", url, f"{1:064x}", "r-4"])
    forgetting.main()
    assert capsys.readouterr().out.count("1 row removed") == 2
    on_machine(monkeypatch, tmp_path, "three")
    assert requests(local_log(url)) == [0, 2, 3]


def test_what_the_store_does_not_take_waits_here_and_the_next_service_sends_it(
    url: str, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(store: ObjectStore, name: str, content: bytes) -> None:
        raise DarkroomError("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "write", refuse)
        write(url, bundle, range(3))
    assert "waits in" in caplog.text and "the store is away" in caplog.text
    write(url, bundle, range(3, 5))
    assert requests(local_log(url)) == [0, 1, 2, 3, 4]


def test_where_there_is_no_log_it_is_said_and_nothing_else_is_copied(url: str, bundle: Bundle) -> None:
    with pytest.raises(DarkroomError, match=f"there is no prediction log {url}"):
        local_log(url)
    write(url, bundle, range(3))
    fsspec.filesystem("memory").pipe_file(f"{url}/2026-11-28/../../away", b"x")
    assert not list(local_log(url).parent.rglob("away"))
