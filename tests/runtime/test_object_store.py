"""Object stores: what is found, what is written, and each failure by its name with what to do."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.object_store import ObjectStore, is_url
from darkroom.runtime.store_backends import BACKENDS
from tests.support.object_stores import s3_server


@pytest.mark.parametrize(
    ("url", "known"), [("s3://a/b", True), ("gs://a", True), ("ftp://a/b", True), ("a:/b", False), ("/a//b", False)]
)
def test_what_is_a_url(url: str, known: bool) -> None:
    assert is_url(url) is known


def test_a_store_that_is_not_known_and_a_package_that_is_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DarkroomError, match=r"ftp://a/b is in no store that is read here: give s3://, gs://, az://"):
        ObjectStore.open("ftp://a/b")
    missing = BACKENDS["gs"]._replace(package="nowhere_to_be_found")
    monkeypatch.setitem(BACKENDS, "gs", missing)
    with pytest.raises(DarkroomError, match=r"gs://a needs the package nowhere_to_be_found.*requirements-gs\.txt"):
        ObjectStore.open("gs://a")


def test_every_extra_is_there() -> None:
    for backend in BACKENDS.values():
        assert Path(backend.extra).exists(), backend.extra


def test_objects_are_written_found_and_removed() -> None:
    store = ObjectStore.open("memory://test-objects/a/")
    store.write("b/c.txt", b"123")
    store.write("d.txt", b"")
    assert [(one.name, one.bytes) for one in store.find()] == [("b/c.txt", 3), ("d.txt", 0)]
    folders, objects = store.folders_and_objects()
    assert folders == ["b"] and [one.name for one in objects] == ["d.txt"]
    assert store.read("b/c.txt") == b"123"
    store.remove("b/c.txt")
    store.remove("b/c.txt")
    with pytest.raises(FileNotFoundError):
        store.read("b/c.txt")
    assert store.find("nowhere") == []


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def fresh(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """fsspec keeps file systems with the credentials that they had: each test has its own, which waits for a second at most."""
    fsspec.filesystem("s3").clear_instance_cache()
    options: dict[str, Any] = {
        "config_kwargs": {"connect_timeout": 1, "read_timeout": 1, "retries": {"total_max_attempts": 1}},
        "skip_instance_cache": True,
    }
    monkeypatch.setitem(BACKENDS, "s3", BACKENDS["s3"]._replace(options=options))
    return s3


@pytest.mark.slow
def test_s3_has_what_was_written(fresh: str) -> None:
    store = ObjectStore.open("s3://photos/a")
    store.write("b c/é+%20.txt", b"123")
    (found,) = store.find()
    assert (found.name, found.bytes, found.mark) == ("b c/é+%20.txt", 3, "202cb962ac59075b964b07152d234b70")
    assert store.read_listed(*found) == b"123"
    assert ObjectStore.open("S3://photos/a").find() == [found]


@pytest.mark.slow
def test_failures_of_s3_are_named(fresh: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"s3://gone/a: there is no such bucket; check its name"):
        ObjectStore.open("s3://gone/a").folders_and_objects()
    with monkeypatch.context() as patched:
        patched.setenv("AWS_PROFILE", "nobody")
        with pytest.raises(DarkroomError, match=r"no credentials.*\(nobody\).*set AWS_PROFILE"):
            ObjectStore.open("s3://photos").find()
    with monkeypatch.context() as patched:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.delenv(name)
        patched.setenv("HOME", str(tmp_path))
        with pytest.raises(DarkroomError, match=r"no credentials that the store takes .*FSSPEC_S3_ANON=true"):
            ObjectStore.open("s3://photos").find()
    with monkeypatch.context() as patched, socket.create_server(("127.0.0.1", 0)) as server:
        # It takes connections and never answers.
        patched.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(
            DarkroomError, match=r"ReadTimeout.*check network, region and endpoint .AWS_ENDPOINT_URL is"
        ):
            ObjectStore.open("s3://photos").folders_and_objects()
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(DarkroomError, match=r"EndpointConnectionError.*check network"):
            ObjectStore.open("s3://photos").folders_and_objects()


@pytest.mark.slow
def test_a_refusal_is_named(fresh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ObjectStore.open("s3://photos/a")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Forbidden")

    monkeypatch.setattr(store.files, "cat_file", refuse)
    with pytest.raises(
        DarkroomError,
        match=r"s3://photos/a/x: the store refuses \(Forbidden\).*allow these credentials to list and read",
    ):
        store.read("x")
