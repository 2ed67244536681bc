"""The contract of SageMaker's containers: `serve`, /ping and /invocations with the answers of the command."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from darkroom.predict.output import prediction_json
from serving.app import make_app
from serving.sagemaker import container_arguments
from serving.service import Service
from tests.support.served import as_the_command, cut_picture, make_pictures
from tests.support.tiny_bundle import make_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("sagemaker") / "bundle")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    made = Service(folder, threads=1, batch=4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    return TestClient(make_app(service), raise_server_exceptions=False)


def test_invocations_are_the_answers_of_the_command(client: TestClient, folder: Path, tmp_path: Path) -> None:
    paths = make_pictures(tmp_path / "pictures")
    expected = [prediction_json(each, None, None) | {"path": ""} for each in as_the_command(folder, paths)]
    files = [path.read_bytes() for path in paths]
    for data, answer in zip(files, expected, strict=True):
        for kind in ("image/png", "application/x-image", "application/octet-stream"):
            found = client.post("/invocations", content=data, headers={"Content-Type": kind, "Accept": "*/*"})
            assert (found.status_code, found.json()) == (200, answer)
    encoded = [base64.b64encode(data).decode() for data in files]
    assert client.post("/invocations", json={"images": encoded}).json() == expected
    lines = client.post("/invocations", json={"images": encoded}, headers={"Accept": "application/jsonlines"})
    assert lines.headers["content-type"] == "application/jsonlines"
    assert [json.loads(line) for line in lines.content.splitlines()] == expected
    one = client.post(
        "/invocations?top_k=1",
        content=files[0],
        headers={"Content-Type": "image/png", "Accept": "application/jsonlines;q=0.9"},
    )
    assert list(json.loads(one.content)["probabilities"]) == [expected[0]["label"]] and one.content.endswith(b"}\n")


def test_what_can_not_be_answered_is_a_status(client: TestClient) -> None:
    png = {"Content-Type": "image/png"}
    assert client.post("/invocations", content=cut_picture(), headers=png).status_code == 422
    assert client.post("/invocations", content=b"a,b", headers={"Content-Type": "text/csv"}).status_code == 415
    other = client.post("/invocations", content=cut_picture(), headers=png | {"Accept": "text/csv"})
    assert other.status_code == 406
    assert "'text/csv': accept application/json or application/jsonlines" in other.json()["detail"]


def test_ping_is_whether_it_is_ready(client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = client.get("/ping")
    assert (answer.status_code, answer.content) == (200, b"")
    monkeypatch.setattr(service, "draining", True)
    assert client.get("/ping").status_code == 503


def test_serve_is_what_sagemaker_gives_as_argument() -> None:
    model = ["/opt/ml/model", "--host", "0.0.0.0", "--port"]
    assert container_arguments(["serve"], {}) == [*model, "8080"]
    bound = container_arguments(["serve", "--threads", "2"], {"SAGEMAKER_BIND_TO_PORT": "9000"})
    assert bound == [*model, "9000", "--threads", "2"]
    assert container_arguments(["models/export"], {"SAGEMAKER_BIND_TO_PORT": "9000"}) == ["models/export"]
