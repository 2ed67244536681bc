"""What the service says while it works: one line for each event, for people or as JSON."""

import json
import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from darkroom.runtime.text import printable
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
    # What the server itself has to say, in the same form; not its warnings, which are of clients that speak no HTTP.
    for name, level in (("serving", logging.INFO), ("darkroom", logging.INFO), ("uvicorn", logging.ERROR)):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(level)
