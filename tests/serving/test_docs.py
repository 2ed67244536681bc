"""The OpenAPI document is one, and says what happens; its page asks no other host, and shows what is in it."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient

from serving import docs
from serving.limits import Limits
from serving.openapi import describe, predict_operations
from serving.page import routes as page


async def nothing() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe([APIRoute("/cold", nothing, methods=["GET"])], predict_operations(Limits()), with_keys=True)


def schemas(content: Any) -> Any:
    """Every schema of a document."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key == "schema":
                yield value
            yield from schemas(value)
    elif isinstance(content, list):
        for each in content:
            yield from schemas(each)


def test_every_reference_of_the_document_is_there_and_every_schema_is_one(document: dict[str, Any]) -> None:
    assert list(document["paths"]) == ["/v1/predict", "/v1/explain", "/cold"]
    references = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert references == {"Prediction", "ImageError", "ProblemDetails"} <= set(document["components"]["schemas"])
    for schema in [*schemas(document), *document["components"]["schemas"].values()]:
        Draft202012Validator.check_schema(schema)
    assert document["security"] == [{"bearer": []}, {"header": []}]


def test_the_page_shows_it_all_and_asks_no_other_host(document: dict[str, Any]) -> None:
    app = FastAPI(openapi_url=None)
    app.router.routes += [*docs.routes(document), *page.routes()]
    client = TestClient(app, base_url="http://here:81")
    assert client.get("/openapi.json").json() == document
    found = client.get("/docs")
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"{method.upper()} {path}" in found.text
            assert all(f"<code>{status}</code>" in found.text for status in operation["responses"])
    assert "curl -F image=@photo.jpg http://here:81/v1/explain" in found.text
    addresses = re.findall(r'(?:href|src)="([^"]*)"', found.text)
    assert addresses and all(address.startswith("/") for address in addresses)
    assert all(client.get(address).status_code == 200 for address in addresses)
    assert "<script" not in found.text
    assert "default-src 'none'" in found.headers["content-security-policy"]


def test_a_host_that_a_client_makes_up_is_text(document: dict[str, Any]) -> None:
    class Tags(HTMLParser):
        found: set[str]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found.add(tag)

    tags = Tags()
    tags.found = set()
    tags.feed(docs.docs_page(document, "http://<script>alert(1)</script>", "<img>"))
    assert "script" not in tags.found and "img" not in tags.found
