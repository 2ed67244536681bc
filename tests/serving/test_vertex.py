"""The contract of Vertex AI's containers: addresses from variables, instances in, predictions out."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from darkroom.predict.output import prediction_json
from darkroom.runtime.errors import DarkroomError
from serving.app import make_app
from serving.keys import Keys, new_key
from serving.service import Refused, Service
from tests.support.served import as_the_command, cut_picture, make_pictures
from tests.support.tiny_bundle import make_bundle

ADDRESS = "/v1/endpoints/12/deployedModels/34"
VARIABLES = {"AIP_HEALTH_ROUTE": ADDRESS, "AIP_PREDICT_ROUTE": f"{ADDRESS}:predict", "AIP_HTTP_PORT": "8080"}
PREDICT = VARIABLES["AIP_PREDICT_ROUTE"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("vertex") / "bundle")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    made = Service(folder, threads=1, batch=4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    return TestClient(make_app(service, environment=VARIABLES), raise_server_exceptions=False)


def test_instances_become_the_predictions_of_the_command(client: TestClient, folder: Path, tmp_path: Path) -> None:
    paths = make_pictures(tmp_path / "pictures")
    expected = [prediction_json(each, None, None) | {"path": ""} for each in as_the_command(folder, paths)]
    texts = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    for instances in (
        [{"b64": text} for text in texts],
        [{"image": {"b64": text}} for text in texts],
        [{"content": text} for text in texts],
        texts,
    ):
        answer = client.post(PREDICT, json={"instances": instances})
        assert (answer.status_code, answer.json()) == (200, {"predictions": expected})
    top = client.post(PREDICT, json={"instances": texts[:1], "parameters": {"top_k": 1}}).json()
    assert list(top["predictions"][0]["probabilities"]) == [expected[0]["label"]]


def test_a_damaged_image_has_its_error_at_its_place(client: TestClient, tmp_path: Path) -> None:
    good = make_pictures(tmp_path / "pictures", 1)[0].read_bytes()
    texts = [base64.b64encode(data).decode() for data in (good, cut_picture(), good)]
    answer = client.post(PREDICT, json={"instances": texts})
    first, bad, last = answer.json()["predictions"]
    assert answer.status_code == 200 and first == last and first["label"]
    assert bad["status"] == 422 and bad["error"].startswith("damaged: ")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 400, "the JSON body has no instances"),
        ({"instances": []}, 400, "the JSON body has no instances"),
        ({"instances": {"b64": ""}}, 400, "the JSON body has no instances"),
        ({"instances": ["a"] * 65}, 413, "65 instances in a request, and 64 is the limit"),
        ({"instances": [{"b64": "!"}]}, 400, "instances[0] is no base64"),
        ({"instances": [[1, 2]]}, 400, "instances[0] is no text"),
        ({"instances": [{"b64": "gs://bucket/a.png"}]}, 400, "instances[0] is an address, and none is ever fetched"),
        ({"instances": ["aGk="], "parameters": {"url": "x"}}, 400, "no address is ever fetched"),
        ({"instances": ["aGk="], "parameters": [3]}, 400, "parameters is no object"),
        ({"instances": ["aGk="], "parameters": {"top_k": 0}}, 400, "top_k is '0', should be a count"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, body: object, status: int, says: str) -> None:
    answer = client.post(PREDICT, json=body)
    assert answer.status_code == status and says in answer.json()["detail"]


def test_health_and_a_full_queue_are_statuses(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get(ADDRESS).status_code == 200

    async def full(*_: object) -> list[Refused]:
        return [Refused("", 503, "300 images wait"), Refused("", 504, "no answer within 30 s")]

    monkeypatch.setattr(service, "predict", full)
    answer = client.post(PREDICT, json={"instances": ["aGk=", "aGk="]})
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
    monkeypatch.setattr(service, "draining", True)
    assert client.get(ADDRESS).status_code == 503


def test_without_variables_there_are_no_such_addresses_and_wrong_ones_are_named(service: Service) -> None:
    assert TestClient(make_app(service)).get(ADDRESS).status_code == 404
    for path in ("predict", "https://host/predict", "/a?b", "/{x}"):
        with pytest.raises(DarkroomError, match=r"AIP_PREDICT_ROUTE is .*, should be a path that begins with /"):
            make_app(service, environment={"AIP_PREDICT_ROUTE": path})


def test_health_needs_no_key_and_predictions_do(service: Service, tmp_path: Path) -> None:
    key = new_key(tmp_path / "keys.json", "vertex", ["predict"], None)
    client = TestClient(make_app(service, keys=Keys(tmp_path / "keys.json"), environment=VARIABLES))
    assert client.get(ADDRESS).status_code == 200
    body = {"instances": ["aGk="]}
    assert client.post(PREDICT, json=body).status_code == 401
    assert client.post(PREDICT, json=body, headers={"X-API-Key": key}).status_code == 200
