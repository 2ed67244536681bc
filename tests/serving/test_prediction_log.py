"""What a service leaves in its prediction log: a row for each image, and nothing that names an image, a client or a person."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from darkroom.monitoring.keyed import LogKey
from darkroom.monitoring.log_writer import PredictionLog
from darkroom.monitoring.prediction_log import read_prediction_log
from serving.app import make_app
from serving.service import Service
from tests.support.pictures import colour, encoded
from tests.support.tiny_bundle import make_bundle


@pytest.mark.parametrize("ended", [False, True])
def test_no_image_no_name_and_no_address_is_in_it(tmp_path: Path, ended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "log"
    service = Service(make_bundle(tmp_path / "bundle"), threads=1, batch=1)
    log = PredictionLog(folder, 1 << 20, service.metrics.log_rows)
    service.start_recorder(log, features=False)
    client = TestClient(make_app(service), client=("198.51.100.7", 41_234))
    image, other = encoded(colour(), "JPEG"), encoded(colour(30, 20), "PNG")
    headers = {
        "X-Request-ID": "ana.smith/7",
        "X-Session-ID": "anas-phone",
        "X-Forwarded-For": "203.0.113.9",
        "User-Agent": "AnasBrowser",
    }
    files = [("images", ("ana-smith.jpg", image, "image/jpeg")), ("images", ("holiday.png", other, "image/png"))]
    assert client.post("/v1/predict", files=files, headers=headers).status_code == 200
    assert client.post("/v1/predict", content=image, headers={"Content-Type": "image/jpeg"}).status_code == 200
    if not ended:
        monkeypatch.setattr(log, "close", lambda: None)
    service.close()
    hashed = LogKey(folder).hash
    rows = pa.concat_tables(read_prediction_log(folder)).to_pylist()
    assert [row["image"] for row in rows] == [
        hashed(hashlib.sha256(data).hexdigest()) for data in (image, other, image)
    ]
    assert [row["session"] for row in rows] == [hashed("anas-phone")] * 2 + [None]
    assert [row["request"] for row in rows[:2]] == [hashed("ana.smith/7")] * 2
    private = [b"ana", b"holiday", b"198.51", b"203.0.113", b"41234", b"jpg", b"image/", b"Browser"]
    for data in (image, other):
        digest = hashlib.sha256(data)
        private += [digest.digest(), digest.hexdigest().encode(), digest.hexdigest()[:16].encode()]
        private += [data[at : at + 12] for at in range(0, len(data) - 12)]
    files_of_it = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files_of_it} >= {".parquet" if ended else ".jsonl"}
    for path in files_of_it:
        content = path.read_bytes()
        assert [each for each in private if each in content] == [], path
        assert "ana" not in path.name


def test_a_session_that_is_no_id_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    service = Service(make_bundle(tmp_path / "bundle"), threads=1, batch=1)
    service.start_recorder(PredictionLog(folder, 1 << 20, service.metrics.log_rows), features=False)
    client = TestClient(make_app(service))
    for session in ("", "a b", "x" * 129, "x" * 128):
        client.post("/v1/predict", content=encoded(colour(), "PNG"), headers={"X-Session-ID": session})
    service.close()
    rows = pa.concat_tables(read_prediction_log(folder)).to_pylist()
    assert [row["session"] for row in rows] == [None] * 3 + [LogKey(folder).hash("x" * 128)]
