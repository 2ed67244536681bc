"""Traces: a span for each request below the client's, with its stages; none where nobody asks, a word where they can't be."""

import itertools
import logging
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from serving.app import make_app
from serving.service import Service
from serving.tracing import open_traces
from tests.support.served import make_pictures
from tests.support.tiny_bundle import make_bundle

PARENT = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(make_bundle(tmp_path_factory.mktemp("tracing") / "bundle"), threads=1, batch=1)
    yield made
    made.close()


def test_a_request_is_a_span_with_its_stages(service: Service, tmp_path: Path) -> None:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    client = TestClient(make_app(service, traces=provider))
    (one,) = make_pictures(tmp_path / "pictures", 1)
    client.post("/v1/predict", content=one.read_bytes(), headers=PARENT | {"X-Request-ID": "mine"})
    client.get("/healthz")
    client.get("/v2/models/other")
    found: dict[str, ReadableSpan] = {span.name: span for span in spans.get_finished_spans()}
    assert set(found) == {"read", "decode", "wait", "run", "POST /v1/predict", "GET /v2/models/{name}"}
    request = found["POST /v1/predict"]
    assert request.context and request.parent
    assert (request.context.trace_id, request.parent.span_id) == (int("a" * 32, 16), int("b" * 16, 16))
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST", "http.route": "/v1/predict", "http.response.status_code": 200,
        "darkroom.request": "mine", "darkroom.images": 1,
    }  # fmt: skip
    stages = [found[name] for name in ("decode", "wait", "run")]
    for before, after in itertools.pairwise(stages):
        assert before.end_time == after.start_time
    for stage in [*stages, found["read"]]:
        assert stage.parent and stage.parent.span_id == request.context.span_id
        assert stage.start_time and stage.end_time and stage.start_time <= stage.end_time


def test_without_a_trace_nothing_is_made(service: Service, tmp_path: Path) -> None:
    assert open_traces({}) is None
    assert open_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318", "OTEL_SDK_DISABLED": "true"}) is None
    (one,) = make_pictures(tmp_path / "pictures", 1)
    assert TestClient(make_app(service)).post("/v1/predict", files={"image": one.read_bytes()}).status_code == 200


def test_where_packages_are_missing_it_says_so_and_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with caplog.at_level(logging.WARNING, "serving"):
        assert open_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}) is None
    assert caplog.messages == [
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, and no traces are sent: they need pip install opentelemetry-sdk "
        "opentelemetry-exporter-otlp-proto-http"
    ]


def test_traces_go_to_the_address_in_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "my-classifier")
    provider = open_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "set", "OTEL_SERVICE_NAME": "my-classifier"})
    assert provider
    with provider.get_tracer("test").start_as_current_span("POST /v1/predict"):
        pass
    provider.shutdown()
    server.shutdown()
    thread.join()
    server.server_close()
    assert b"POST /v1/predict" in b"".join(bodies) and b"my-classifier" in b"".join(bodies)
