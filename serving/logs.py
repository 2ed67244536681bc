"""What the service says while it works: one line for each event, for people or as JSON."""

import json
import logging
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom.runtime.text import printable
from serving.metrics import Metrics
from serving.request_id import request_id

# Every module of the service logs here.
LOG = logging.getLogger("serving")

# What a log line has beside its message, in this order.
FIELDS = ("request", "method", "route", "status", "ms", "images")


@dataclass
class Asked:
    """What a request came to.

    Attributes:
        images: that it asked about.
    """

    images: int = 0


# Set by `Observed` for all that is awaited for a request; outside of any, one that nobody reads.
asked: ContextVar[Asked] = ContextVar("asked", default=Asked())  # noqa: B039


class PlainLines(logging.Formatter):
    """`2026-11-28T02:41:07.512Z INFO answered request=… route=/v1/predict status=200 ms=4.1 images=1`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = [f"{name}={value}" for name, value in _fields(record).items()]
        return printable(" ".join([_time(record), record.levelname, _message(self, record), *fields]))


class JsonLines(logging.Formatter):
    """One object a line: `time`, `level`, `message`, and the event's fields; JSON escapes what commands a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        content = {"time": _time(record), "level": record.levelname.lower(), "message": _message(self, record)}
        return json.dumps(content | _fields(record))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """With the traceback of an error: it stays on this side, and no client gets it."""
    return record.getMessage() + ("\n" + formatter.formatException(record.exc_info) if record.exc_info else "")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given = {"request": request_id.get() or None} | vars(record)
    return {name: given[name] for name in FIELDS if given.get(name) is not None}


def set_up_logs(form: Literal["plain", "json"]) -> None:
    """Write what the service logs to stderr, one line an event."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else PlainLines())
    LOG.handlers[:] = [handler]
    LOG.propagate = False
    LOG.setLevel(logging.INFO)


class Observed:
    """Middleware, below the one that sets the id of a request: counts each request, and logs it.

    Args:
        app: that is asked.
        metrics: where requests are counted.
        paths: of the routes, by endpoint; what no route takes counts as "unmatched", for its path is the client's text.
        access_log: log each request, and not only those that fail here (500 and above).
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: Mapping[object, str], access_log: bool) -> None:
        self._app, self._metrics, self._paths, self._access_log = app, metrics, paths, access_log

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
                self._metrics.spent("read", time.perf_counter() - start)
            return message

        async def send_on(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], time.perf_counter()
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self._metrics.spent("write", time.perf_counter() - begun)

        try:
            await self._app(scope, receive_on, send_on)
        except Exception as error:
            status = 499 if isinstance(error, ClientDisconnect) else 500
            raise
        finally:
            self._finish(scope, status, time.perf_counter() - start, found.images)

    def _finish(self, scope: Scope, status: int, seconds: float, images: int) -> None:
        route = self._paths.get(scope.get("endpoint"), "unmatched")
        self._metrics.request(route, status, seconds)
        # The service counts the images that it refuses; here are requests that never got so far.
        if status >= 400 and not images:
            self._metrics.refused(status)
        if self._access_log or status >= 500:
            fields = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
            level = logging.WARNING if status >= 500 else logging.INFO
            LOG.log(level, "answered", extra=fields | {"images": images})
