"""The application: what every request passes, and which address asks what."""

from collections.abc import Collection

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from serving import docs, health, v1
from serving.access import RefuseOtherPages, RequireKey
from serving.edge import Edge
from serving.keys import Keys
from serving.limits import LimitBodies, Limits
from serving.openapi import describe, predict_operations
from serving.page import routes as page
from serving.problems import handle_problems
from serving.service import Service

# What a page of another host may read, beside the body.
EXPOSED = ("X-Request-ID", "X-Model-Hash", "Retry-After")


def make_app(
    service: Service, limits: Limits | None = None, keys: Keys | None = None, cors_origins: Collection[str] = ()
) -> FastAPI:
    """The application around a service, for any ASGI server.

    Args:
        service: that answers.
        limits: of a request; None takes the defaults.
        keys: that clients need; None asks nobody for one.
        cors_origins: pages of other hosts that may ask; `*` for all.
    """
    limits = limits or Limits()
    # A redirect to the address without its last slash would repeat whatever Host a client sent.
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.state.service = service
    handle_problems(app)
    # The last one added is the outermost.
    app.add_middleware(LimitBodies, limits=limits)
    if keys:
        app.add_middleware(RequireKey, keys=keys)
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
    app.add_middleware(Edge)
    app.router.routes += [*v1.routes(service, limits), *health.routes(service), *page.routes()]
    app.router.routes += docs.routes(describe(app.routes, predict_operations(limits), with_keys=keys is not None))
    return app
