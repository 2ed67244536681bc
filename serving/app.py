"""The application: what every request passes, and which address asks what."""

from fastapi import FastAPI

from serving import health, v1
from serving.edge import Edge
from serving.limits import LimitBodies, Limits
from serving.page import routes as page
from serving.problems import handle_problems
from serving.service import Service


def make_app(service: Service, limits: Limits | None = None) -> FastAPI:
    """The application around a service, for any ASGI server.

    Args:
        service: that answers.
        limits: of a request; None takes the defaults.
    """
    limits = limits or Limits()
    # A redirect to the address without its last slash would repeat whatever Host a client sent.
    app = FastAPI(title="Darkroom", openapi_url="/openapi.json", redirect_slashes=False)
    app.state.service = service
    handle_problems(app)
    # The last one added is the outermost.
    app.add_middleware(LimitBodies, limits=limits)
    app.add_middleware(Edge)
    app.router.routes += [*v1.routes(service, limits), *health.routes(service), *page.routes()]
    return app
