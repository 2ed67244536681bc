"""The application: what every request passes, and which address asks what."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from serving import corrections, docs, health, metrics, sagemaker, v1, v2, vertex
from serving.access import RefuseOtherPages, RequireKey
from serving.direct import Direct, Endpoint, posted
from serving.edge import Edge
from serving.keys import Keys
from serving.limits import LimitBodies, Limits
from serving.observed import Observed
from serving.openapi import describe, predict_operations
from serving.openapi_platforms import platform_operations
from serving.page import routes as page
from serving.problems import Problem, handle_problems
from serving.service import Service

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# What a page of another host may read, beside the body.
EXPOSED = ("X-Request-ID", "X-Model-Hash", "Retry-After")


def make_app(
    service: Service,
    limits: Limits | None = None,
    keys: Keys | None = None,
    cors_origins: Collection[str] = (),
    *,
    model_name: str = "darkroom",
    access_log: bool = False,
    environment: Mapping[str, str] | None = None,
    traces: "TracerProvider | None" = None,
) -> FastAPI:
    """The application around a service, for any ASGI server.

    Args:
        service: that answers.
        limits: of a request; None takes the defaults.
        keys: that clients need; None asks nobody for one.
        cors_origins: pages of other hosts that may ask; `*` for all.
        model_name: that the Open Inference Protocol has for the model.
        access_log: log each request.
        environment: with the addresses that Vertex AI wants; None has none.
        traces: as `serving.tracing.open_traces` gives it.
    """
    limits = limits or Limits()
    # A redirect to the address without its last slash would repeat whatever Host a client sent.
    # Traces are the service's own. FastAPI's would look for a provider in every request, 5% of its time at 28 px, and fail in
    # each where a variable names one and is empty.
    quiet: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
    app = FastAPI(openapi_url=None, redirect_slashes=False, telemetry=quiet)
    app.state.service = service
    handle_problems(app)
    # The last one added is the outermost.
    posts: dict[str, Endpoint] = {}
    app.add_middleware(Direct, endpoints=posts)
    app.add_middleware(LimitBodies, limits=limits, busy=lambda: _busy(service))
    environment = environment or {}
    if keys:
        app.add_middleware(RequireKey, keys=keys, open_paths=[environment.get(vertex.HEALTH, "")])
    if cors_origins:
        # Before the keys: a browser asks without one whether it may ask.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    app.add_middleware(RefuseOtherPages, origins=cors_origins)
    paths: dict[object, str] = {}
    app.add_middleware(Observed, metrics=service.metrics, paths=paths, access_log=access_log, traces=traces)
    app.add_middleware(Edge)
    # Where Vertex AI asks at an address that is here already, it is Vertex AI's. Then what is asked most, since each request is
    # compared with one route after the other, at 1 to 2 µs.
    routes = [*vertex.routes(service, limits, environment), *v1.routes(service, limits), *health.routes(service)]
    routes += [
        *sagemaker.routes(service, limits),
        *v2.routes(service, limits, model_name),
        *metrics.routes(service.metrics),
        *corrections.routes(service, limits),
    ]
    app.router.routes += [*routes, *page.routes()]
    operations = predict_operations(limits) | platform_operations(limits, model_name)
    app.router.routes += docs.routes(describe(app.routes, operations, with_keys=keys is not None))
    posts |= posted(app.routes)
    paths |= {route.endpoint: route.path for route in app.routes if isinstance(route, Route)}
    return app


def _busy(service: Service) -> Problem | None:
    if service.waiting < service.queue:
        return None
    found = service.full()
    return Problem(found.status, found.reason, retry_after=found.retry_after)
