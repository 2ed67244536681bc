"""The straight way to what is asked most: an address without parameters leads to its function, past router and framework."""

from collections.abc import Awaitable, Callable, Iterable

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.problems import Problem, problem_response

Endpoint = Callable[[Request], Awaitable[Response]]


class Direct:
    """Middleware, the innermost: takes what is posted to a plain Starlette route.

    Between a request and its function FastAPI and Starlette have eight layers, a tenth of the event loop's time at 28 px.

    Args:
        app: that is asked for everything else.
        endpoints: of the addresses, as `posted` gives them.
    """

    def __init__(self, app: ASGIApp, endpoints: dict[str, Endpoint]) -> None:
        self.app, self.endpoints = app, endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.endpoints.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if endpoint is None:
            return await self.app(scope, receive, send)
        scope["endpoint"] = endpoint
        try:
            response = await endpoint(Request(scope, receive, send))
        except Problem as problem:
            response = problem_response(problem)
        await response(scope, receive, send)


def posted(routes: Iterable[BaseRoute]) -> dict[str, Endpoint]:
    """The functions of the plain routes that take POST and have no parameters in their address; of two, the first counts."""
    found: dict[str, Endpoint] = {}
    for route in routes:
        if not isinstance(route, Route) or isinstance(route, APIRoute) or "{" in route.path:
            continue
        if "POST" in (route.methods or ()):
            found.setdefault(route.path, route.endpoint)
    return found
