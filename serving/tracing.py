"""Traces by OpenTelemetry, where its variables ask for them and its packages are there: a span for each request, and in it
spans for decoding an image, its wait for the graph, and its run."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.types import Scope

from serving.logs import LOG

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PACKAGES = "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
# What is asked every few seconds, and says nothing about answers.
QUIET = {"/healthz", "/readyz", "/ping", "/metrics", "/v2/health/live", "/v2/health/ready"}

# The tracer of the request that is being answered; None where it is not traced.
_tracer: "ContextVar[Tracer | None]" = ContextVar("tracer", default=None)


def open_traces(environment: Mapping[str, str]) -> "TracerProvider | None":
    """What makes traces and sends them to the address in OpenTelemetry's variables; None where there is none.

    Args:
        environment: also with OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and all others that OpenTelemetry reads.
    """
    given = [name for name in ENDPOINTS if environment.get(name)]
    if not given or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        # A cluster may set the variable for all that runs in it: no reason not to answer.
        LOG.warning("%s is set, and no traces are sent: they need pip install %s", given[0], PACKAGES)
        return None
    name = environment.get("OTEL_SERVICE_NAME") or "darkroom"
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


@contextmanager
def trace_request(provider: "TracerProvider | None", scope: Scope) -> "Iterator[Span | None]":
    """A span around a request, below the client's where it sent a `traceparent`."""
    if provider is None or scope["path"] in QUIET:
        yield None
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    tracer = provider.get_tracer("serving")
    context = TraceContextTextMapPropagator().extract(headers)
    _tracer.set(tracer)
    with tracer.start_as_current_span(scope["method"], context, SpanKind.SERVER) as span:
        span.set_attribute("http.request.method", scope["method"])
        yield span


def describe_request(span: "Span | None", method: str, route: str, status: int, request: str, images: int) -> None:
    """Name the span of a request by its route, and say how it ended."""
    if span is None:
        return
    from opentelemetry.trace import StatusCode

    span.update_name(f"{method} {route}")
    span.set_attributes({"http.route": route, "http.response.status_code": status})
    span.set_attributes({"darkroom.request": request, "darkroom.images": images})
    if status >= 500:
        span.set_status(StatusCode.ERROR)


def trace_stages(seconds: Mapping[str, float]) -> None:
    """Spans for stages that are over, one after another up to now: made afterwards, so that nothing waits for them.

    Args:
        seconds: of each, by its name.
    """
    tracer = _tracer.get()
    if tracer is None:
        return
    at = time.time_ns() - round(1e9 * sum(seconds.values()))
    for name, duration in seconds.items():
        span = tracer.start_span(name, start_time=at)
        at += round(1e9 * duration)
        span.end(at)
