"""The document has every address of the application, and what it says of them is what they do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.app import make_app
from serving.service import Service
from tests.support.served import make_pictures
from tests.support.tiny_bundle import make_bundle

# For people; and the address with a version, which the description of the one without has.
OUTSIDE = {"/", "/docs", "/openapi.json", "/page/{name}", *(f"/v2/models/{{name}}/versions/{{version}}{end}" for end in
           ("", "/ready", "/infer"))}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(make_bundle(tmp_path_factory.mktemp("openapi") / "bundle"), threads=1, batch=1)
    made.take_corrections(tmp_path_factory.mktemp("openapi") / "inbox", 10, 1 << 20)
    yield made
    made.close()


def test_every_address_is_described_and_what_it_answers_is_documented(service: Service, tmp_path: Path) -> None:
    app = make_app(service)
    client = TestClient(app)
    document = client.get("/openapi.json").json()
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    routes = [route for route in app.routes if isinstance(route, Route) and route.path not in OUTSIDE]
    assert described == {
        (route.path.replace("{name}", "darkroom"), method)
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    Draft202012Validator.check_schema({"$defs": document["components"]["schemas"]})
    picture = make_pictures(tmp_path / "pictures", 1)[0].read_bytes()
    who = {"label": "dark", "reviewer": "Ann", "reason": "why"}
    asked: dict[str, Any] = {
        "/v1/corrections": {"data": who, "files": {"image": picture}},
        "/v2/models/darkroom/infer": {"json": {"inputs": []}},
    }
    seen = set[int]()
    for path, method in described:
        more = asked.get(path, {} if method == "GET" else {"files": {"image": picture}})
        answer = client.request(method, path, **more)
        seen.add(answer.status_code)
        operation = document["paths"][path][method.lower()]
        responses = operation["responses"][str(answer.status_code)]
        kind = answer.headers.get("content-type", "").partition(";")[0]
        assert not kind or kind in responses["content"], (path, kind)
        schema = responses.get("content", {}).get("application/json", {}).get("schema")
        if schema and kind == "application/json":
            Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())
    assert seen == {200, 201, 400}
