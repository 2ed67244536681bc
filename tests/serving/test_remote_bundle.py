"""Bundles in an object store: published, followed by a pointer, held against their hashes, and copied whole or not at all."""

import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import httpx
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from darkroom.bundle.bundle import load_bundle
from darkroom.monitoring.log_copy import local_log
from darkroom.monitoring.prediction_log import read_prediction_log
from darkroom.registry.remote import publish_remote
from darkroom.registry.versions import LINK, SERVING
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.files import file_hash
from darkroom.runtime.object_store import ObjectStore
from serving import remote_bundle
from serving.remote_bundle import RemoteBundle
from tests.conftest import ROOT
from tests.support.object_stores import s3_server
from tests.support.tiny_bundle import make_bundle


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in (1, 2, 3):
        make_bundle(tmp_path / SERVING / f"v1.{number}.0", seed=number)
    lead(tmp_path, "v1.1.0")
    return f"memory://{uuid.uuid4().hex}/bundles"


def lead(root: Path, number: str) -> None:
    (root / LINK).unlink(missing_ok=True)
    (root / LINK).symlink_to(number)


@pytest.fixture
def followed(url: str, tmp_path: Path) -> Iterator[RemoteBundle]:
    publish_remote(tmp_path, url)
    remote = RemoteBundle(f"{url}/current")
    yield remote
    remote.close()


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_the_pointer_names_is_served_byte_for_byte_and_back_again(
    url: str, followed: RemoteBundle, tmp_path: Path
) -> None:
    assert files(followed.link) == files(tmp_path / SERVING / "v1.1.0")
    lead(tmp_path, "v1.2.0")
    assert publish_remote(tmp_path, url) == "v1.2.0"
    followed.look()
    assert files(followed.link) == files(tmp_path / SERVING / "v1.2.0")
    load_bundle(followed.link, threads=1)
    publish_remote(tmp_path, url, "v1.1.0")
    followed.look()
    assert files(followed.link) == files(tmp_path / SERVING / "v1.1.0")
    publish_remote(tmp_path, url, "v1.3.0")
    followed.look()
    assert len([path for path in followed.link.parent.iterdir() if not path.is_symlink()]) == 2, (
        "this one, and that before"
    )


def test_a_version_that_is_there_is_only_pointed_to(
    url: str, followed: RemoteBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(ObjectStore, "write", lambda store, name, content: written.append(name))
    publish_remote(tmp_path, url, "v1.1.0")
    assert written == ["current"]
    publish_remote(tmp_path, url, "v1.2.0")
    assert written[-2:] == ["v1.2.0/bundle.json", "current"], "whoever finds the pointer finds all files"


@pytest.mark.parametrize("name", ["model.onnx", "classes.json"])
def test_a_changed_byte_is_refused_and_the_bundle_before_stays(
    url: str, followed: RemoteBundle, tmp_path: Path, name: str
) -> None:
    publish_remote(tmp_path, url, "v1.2.0")
    fsspec.filesystem("memory").pipe_file(f"{url}/v1.2.0/{name}", b"other")
    with pytest.raises(DarkroomError, match=rf"v1\.2\.0/{name} is not the file that bundle\.json names: publish"):
        followed.look()
    assert files(followed.link) == files(tmp_path / SERVING / "v1.1.0")
    assert not list(followed.link.parent.glob(".*")), "nothing is left of the attempt"


def test_a_service_looks_by_itself_and_goes_on_where_it_can_not(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(remote_bundle, "INTERVAL", 0.01)
    publish_remote(tmp_path, url)
    remote = RemoteBundle(f"{url}/current")
    try:
        fsspec.filesystem("memory").pipe_file(f"{url}/current", b"../away")
        wait(lambda: "should hold the name of a bundle beside it, as v1.4.0, and holds '../away'" in caplog.text)
        publish_remote(tmp_path, url, "v1.2.0")
        wait(lambda: files(remote.link) == files(tmp_path / SERVING / "v1.2.0"))
    finally:
        remote.close()


def test_what_is_missing_is_named_with_what_to_do(url: str, tmp_path: Path) -> None:
    with pytest.raises(DarkroomError, match=r"there is no memory://.*/current: publish a bundle with"):
        RemoteBundle(f"{url}/current")
    shutil.rmtree(tmp_path / SERVING)
    with pytest.raises(DarkroomError, match="there is no champion"):
        publish_remote(tmp_path, url)


@pytest.mark.slow
def test_a_service_answers_from_s3_and_logs_there(tmp_path: Path, url: str) -> None:
    image = tmp_path / "a.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(image)
    with s3_server():
        publish_remote(tmp_path, "s3://photos/bundles")
        options = ["s3://photos/bundles/current", "--prediction-log", "s3://photos/log", "--port", "0"]
        command = [sys.executable, "-m", "serving", *options]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as service:
            try:
                assert service.stdout
                address = service.stdout.readline().split()[-1]
                first = httpx.post(f"{address}/v1/predict", files={"image": image.read_bytes()}, timeout=60)
                assert first.status_code == 200
                publish_remote(tmp_path, "s3://photos/bundles", "v1.2.0")
                wait(lambda: predicted(address, image) != predicted_of(first))
            finally:
                service.terminate()
        assert service.returncode == 0
        hashes = {file_hash(tmp_path / SERVING / number / "bundle.json") for number in ("v1.1.0", "v1.2.0")}
        rows = pa.concat_tables(read_prediction_log(local_log("s3://photos/log")))
        assert set(rows["bundle"].to_pylist()) == hashes


def predicted(address: str, image: Path) -> object:
    return predicted_of(httpx.post(f"{address}/v1/predict", files={"image": image.read_bytes()}, timeout=60))


def predicted_of(answer: httpx.Response) -> object:
    return answer.json()["probabilities"]
