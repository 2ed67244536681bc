"""The whole application: what every address has in common, in the order in which a request passes it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.access import OPEN, OPEN_FOLDER
from serving.app import make_app
from serving.keys import Keys, new_key
from serving.limits import Limits
from serving.service import Refused, Service, Upload
from tests.support.served import make_pictures
from tests.support.tiny_bundle import make_bundle

PNG = {"Content-Type": "image/png"}
ORIGIN = "https://named.example"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(make_bundle(tmp_path_factory.mktemp("app") / "bundle"), threads=1, batch=4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_pictures(tmp_path_factory.mktemp("app") / "pictures")[0].read_bytes()


@pytest.fixture
def client(service: Service) -> TestClient:
    return TestClient(make_app(service, Limits(body=100_000)), raise_server_exceptions=False)


def test_answers_are_as_the_document_has_them(client: TestClient, image: bytes) -> None:
    document = client.get("/openapi.json").json()

    def check(method: str, path: str, status: int, content: object) -> None:
        found = document["paths"][path][method]["responses"][str(status)]["content"]
        (schema,) = (each["schema"] for each in found.values())
        Draft202012Validator({**schema, "components": document["components"]}).validate(content)

    one = client.post("/v1/predict?explain=true", content=image, headers=PNG)
    several = client.post("/v1/predict", files=[("images", ("a", image)), ("images", ("b", b"x"))])
    for answer in (one, several, client.post("/v1/predict", content=b"x", headers=PNG)):
        check("post", "/v1/predict", answer.status_code, answer.json())
    check("get", "/v1/model", 200, client.get("/v1/model").json())
    heatmap = client.post("/v1/explain", content=image, headers=PNG)
    assert (heatmap.status_code, heatmap.headers["content-type"], heatmap.content[:4]) == (200, "image/png", b"\x89PNG")


def test_unknown_addresses_and_methods_are_problems(client: TestClient) -> None:
    missing = client.get("/v1/nothing")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    assert missing.json()["detail"] == "there is no address /v1/nothing: /docs lists all"
    for method, allowed in (("GET", "POST"), ("DELETE", "POST")):
        found = client.request(method, "/v1/predict")
        assert (found.status_code, found.headers["allow"]) == (405, allowed)
        assert found.json()["detail"] == f"/v1/predict takes POST, not {method}"
    # A redirect would repeat the host that a client made up.
    assert client.post("/v1/predict/", follow_redirects=False).status_code == 404


def test_a_body_past_the_limit_is_413_at_every_address(client: TestClient) -> None:
    for path in ("/v1/predict", "/v1/explain", "/invocations", "/v2/models/darkroom/infer"):
        for content in (bytes(100_001), iter([bytes(60_000)] * 2)):
            assert client.post(path, content=content, headers=PNG).status_code == 413, path


def test_with_keys_every_address_needs_one_but_those_that_are_open(
    service: Service, tmp_path: Path, image: bytes
) -> None:
    key = new_key(tmp_path / "keys.json", "one", ["predict"], None)
    app = make_app(service, keys=Keys(tmp_path / "keys.json"))
    client = TestClient(app)
    for route in app.routes:
        assert isinstance(route, Route)
        path = re.sub(r"\{\w+\}", "darkroom", route.path)
        refused = client.request(next(iter(route.methods or {"GET"})), path).status_code == 401
        assert refused != (path in OPEN or path.startswith(OPEN_FOLDER)), path
    assert client.post("/v1/predict", content=image, headers=PNG | {"X-API-Key": key}).status_code == 200
    assert client.get("/metrics", headers={"X-API-Key": key}).status_code == 403


def test_a_named_page_may_ask_also_with_a_key_and_no_other(service: Service, tmp_path: Path) -> None:
    new_key(tmp_path / "keys.json", "one", ["predict"], None)
    client = TestClient(make_app(service, keys=Keys(tmp_path / "keys.json"), cors_origins=[ORIGIN]))
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    allowed = client.options("/v1/predict", headers=ask | {"Origin": ORIGIN})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, ORIGIN)
    other = client.options("/v1/predict", headers=ask | {"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in other.headers
    # Without any, no page is told that it may.
    plain = TestClient(make_app(service)).get("/v1/model", headers={"Origin": ORIGIN})
    assert not [name for name in plain.headers if name.startswith("access-control")]


def test_a_service_with_no_place_says_when_there_is_one(
    service: Service, image: bytes, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(uploads: list[Upload], explain: bool = False) -> list[Refused]:
        return [Refused(each.name, 503, "256 images wait already") for each in uploads]

    monkeypatch.setattr(service, "predict", full)
    monkeypatch.setattr(service, "retry_after", lambda: 7)
    for sent in ({"content": image, "headers": PNG}, {"files": [("images", image), ("images", image)]}):
        found = client.post("/v1/predict", **sent)
        assert (found.status_code, found.headers["retry-after"]) == (503, "7")


def test_health_may_be_asked_by_head(client: TestClient, service: Service) -> None:
    for path, draining, status in (("/healthz", False, 200), ("/readyz", False, 200), ("/readyz", True, 503)):
        service.draining = draining
        assert client.head(path).status_code == status
    service.draining = False
    refused = client.post("/healthz")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
