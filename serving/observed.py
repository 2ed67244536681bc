"""Around every request: it is counted, timed, logged and traced."""

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.logs import LOG, Asked, asked
from serving.metrics import Metrics
from serving.request_id import request_id
from serving.tracing import describe_request, trace_request, trace_stages

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class Observed:
    """Middleware, below the one that sets the id of a request.

    Args:
        app: that is asked.
        metrics: where requests are counted.
        paths: of the routes, by endpoint; what no route takes counts as "unmatched", for its path is the client's text.
        access_log: log each request, and not only those that fail here (500 and above).
        traces: as `open_traces` gives it.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        paths: Mapping[object, str],
        access_log: bool = False,
        traces: "TracerProvider | None" = None,
    ) -> None:
        self._app, self._metrics, self._paths = app, metrics, paths
        self._access_log, self._traces = access_log, traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        found = Asked()
        asked.set(found)
        # Of a client that leaves before its answer begins.
        status = 499
        start = begun = time.perf_counter()

        async def receive_on() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                seconds = time.perf_counter() - start
                self._metrics.spent("read", seconds)
                trace_stages({"read": seconds})
            return message

        async def send_on(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], time.perf_counter()
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self._metrics.spent("write", time.perf_counter() - begun)

        with trace_request(self._traces, scope) as span:
            try:
                await self._app(scope, receive_on, send_on)
            except Exception as error:
                status = 499 if isinstance(error, ClientDisconnect) else 500
                raise
            finally:
                route = self._paths.get(scope.get("endpoint"), "unmatched")
                describe_request(span, scope["method"], route, status, request_id.get(), found.images)
                self._finish(scope, route, status, time.perf_counter() - start, found.images)

    def _finish(self, scope: Scope, route: str, status: int, seconds: float, images: int) -> None:
        self._metrics.request(route, status, seconds)
        # The service counts the images that it refuses; here are requests that never got so far.
        if status >= 400 and not images:
            self._metrics.refused(status)
        if self._access_log or status >= 500:
            fields = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
            level = logging.WARNING if status >= 500 else logging.INFO
            LOG.log(level, "answered", extra=fields | {"images": images})
