"""Log lines: one an event, for people and as JSON, and no client's text commands whoever reads them."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.app import make_app
from serving.edge import Edge
from serving.logs import LOG, JsonLines, PlainLines, set_up_logs
from serving.metrics import Metrics
from serving.observed import Observed
from serving.service import Service
from tests.support.served import cut_picture
from tests.support.tiny_bundle import make_bundle


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The service's logger; it and the server's are afterwards as they were before."""
    loggers = [LOG, logging.getLogger("darkroom"), logging.getLogger("uvicorn")]
    before = [(each.handlers[:], each.propagate, each.level) for each in loggers]
    yield LOG
    for each, (handlers, propagate, level) in zip(loggers, before, strict=True):
        each.handlers[:], each.propagate = handlers, propagate
        each.setLevel(level)


def test_lines_are_one_an_event_and_command_nothing(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    fields = {"request": "r-1", "status": 200, "images": 3}
    set_up_logs("plain")
    logger.info("a \x1b[31mred\nname", extra=fields)
    plain = capsys.readouterr().err
    assert plain.count("\n") == 1 and plain[10] == "T" and plain[23:25] == "Z "
    assert plain[25:] == "INFO a \\x1b[31mred\\nname request=r-1 status=200 images=3\n"
    set_up_logs("json")
    logger.warning("a \x1b[31mred\nname", extra=fields)
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "\x1b" not in line
    content = json.loads(line)
    assert content.pop("time").endswith("Z")
    assert content == {"level": "warning", "message": "a \x1b[31mred\nname", **fields}
    server = logging.getLogger("uvicorn.protocols")
    server.warning("Invalid HTTP request received.")
    server.error("it failed")
    assert json.loads(capsys.readouterr().err)["message"] == "it failed"


@pytest.mark.parametrize("form", [PlainLines(), JsonLines()])
def test_a_traceback_stays_in_its_line(form: logging.Formatter) -> None:
    try:
        raise RuntimeError("a bug")
    except RuntimeError:
        record = logging.LogRecord("serving", logging.ERROR, "", 0, "it failed", None, sys.exc_info())
    line = form.format(record)
    assert "\n" not in line and "RuntimeError: a bug" in line


def test_requests_are_logged_and_counted_by_their_route(
    tmp_path: Path, logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("json")
    service = Service(make_bundle(tmp_path / "bundle"), threads=1, batch=1)
    client = TestClient(make_app(service, access_log=True), raise_server_exceptions=False)
    client.get("/v2/models/darkroom", headers={"X-Request-ID": "mine"})
    client.get("/no%1bwhere")
    client.get("/v1/model")
    files = [("a", ("a.png", cut_picture())), ("a", ("b.png", cut_picture()))]
    client.post("/v1/predict", files=files)
    service.close()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["method"], line["route"], line["status"], line["images"]) for line in lines] == [
        ("GET", "/v2/models/{name}", 200, 0),
        ("GET", "unmatched", 404, 0),
        ("GET", "/v1/model", 200, 0),
        ("POST", "/v1/predict", 200, 2),
    ]
    assert lines[0]["request"] == "mine" and len(lines[1]["request"]) == 32
    value = service.metrics.registry.get_sample_value
    assert value("darkroom_requests_total", {"route": "/v2/models/{name}", "status": "200"}) == 1
    assert value("darkroom_request_seconds_count", {"route": "/v1/predict"}) == 1
    assert value("darkroom_stage_seconds_count", {"stage": "read"}) == 1
    assert value("darkroom_stage_seconds_count", {"stage": "write"}) == 4
    assert value("darkroom_refusals_total", {"reason": "not_found"}) == 1
    assert value("darkroom_refusals_total", {"reason": "unreadable"}) == 2


def test_faults_are_logged_without_being_asked_and_a_client_that_left_is_none(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("json")

    async def fail(_: Request) -> Response:
        raise RuntimeError("a bug")

    async def leave(_: Request) -> Response:
        raise ClientDisconnect

    async def work(_: Request) -> Response:
        return Response()

    routes = [Route("/fail", fail), Route("/leave", leave), Route("/work", work)]
    metrics = Metrics()
    paths: dict[object, str] = {route.endpoint: route.path for route in routes}
    app = Edge(Observed(Starlette(routes=routes), metrics, paths, False))
    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/work").status_code == 200
    assert client.get("/fail").status_code == 500
    client.get("/leave")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {(line.get("route"), line["level"]) for line in lines} == {("/fail", "warning"), (None, "error")}
    assert len({line["request"] for line in lines if "request" in line}) == 1
    value = metrics.registry.get_sample_value
    assert value("darkroom_requests_total", {"route": "/leave", "status": "499"}) == 1
    assert value("darkroom_requests_total", {"route": "/fail", "status": "500"}) == 1
