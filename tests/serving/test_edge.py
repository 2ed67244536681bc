"""What every answer has, whatever happened: an id, headers, and no trace of the stack."""

import logging
import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.edge import HEADERS, Edge
from serving.problems import Problem, handle_problems
from serving.request_id import request_id


@pytest.fixture(scope="module")
def client() -> TestClient:
    async def good(_: Request) -> Response:
        return PlainTextResponse(request_id.get(), headers={"Cache-Control": "max-age=9", "X-Request-ID": "another"})

    async def bad(_: Request) -> Response:
        raise ZeroDivisionError("the secret of /etc")

    async def problem(_: Request) -> Response:
        raise Problem(503, "half: \ud800", retry_after=2.1)

    routes = [Route("/good", good), Route("/bad", bad), Route("/problem", problem)]
    app = Starlette(routes=routes, middleware=[Middleware(Edge)])
    handle_problems(app)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["/good", "/bad", "/problem", "/missing"])
def test_every_answer_has_an_id_and_the_headers(path: str, client: TestClient) -> None:
    found = client.get(path)
    assert re.fullmatch("[0-9a-f]{32}", found.headers["x-request-id"])
    for name, value in HEADERS.items():
        assert found.headers[name] == ("max-age=9" if (path, name) == ("/good", "Cache-Control") else value)
    if path != "/good":
        assert found.headers["content-type"] == "application/problem+json"
        assert found.json()["request_id"] == found.headers["x-request-id"]
        assert found.json()["status"] == found.status_code


@pytest.mark.parametrize("given", ["a", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "x" * 128])
def test_a_plausible_id_is_taken_over(given: str, client: TestClient) -> None:
    found = client.get("/good", headers={"X-Request-ID": given})
    assert found.headers["x-request-id"] == found.text == given


@pytest.mark.parametrize("given", ["", " ", "a b", "é", "x" * 129, "a\x1b[2J", "<script>", '{"a": 1}'])
def test_another_id_is_replaced(given: str, client: TestClient) -> None:
    found = client.get("/good", headers={b"X-Request-ID": given.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{32}", found.headers["x-request-id"])


def test_a_fault_is_logged_under_the_id_and_never_answered(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        found = client.get("/bad", headers={"X-Request-ID": "the-id"})
    assert found.status_code == 500
    assert "secret" not in found.text and "Traceback" not in found.text
    assert "the-id" in caplog.text and "ZeroDivisionError: the secret" in caplog.text


def test_a_problem_has_its_seconds_rounded_up(client: TestClient) -> None:
    found = client.get("/problem")
    assert (found.status_code, found.headers["retry-after"]) == (503, "3")
    assert found.json()["title"] == "Service Unavailable"


def test_a_client_that_left_gets_nothing_and_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    async def left(_: Request) -> Response:
        raise ClientDisconnect

    app = Starlette(routes=[Route("/", left)], middleware=[Middleware(Edge)])
    with caplog.at_level(logging.ERROR), pytest.raises(AssertionError):
        TestClient(app).get("/")
    assert caplog.text == ""
