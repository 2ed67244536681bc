"""What a connection may cost before a request is whole: uvicorn's protocol with limits for heads, which it has none for."""

import asyncio
import json
import sys
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.problems import MEDIA_TYPE

# Seconds from the first byte of a request, or from a new connection, to the end of its head.
HEAD_SECONDS = 10.0
# Bytes of a request that are no body: its head, the sizes of chunks, what follows the last of them.
MOST_HEAD_BYTES = 1 << 16
# Chunks of one byte each have six that are no body.
OVERHEAD = 8
# A process may open 1,024 files by default, and needs some for itself.
MOST_CONNECTIONS = 900


class JoinedWrites:
    """A transport whose writes of one turn of the event loop leave together.

    uvicorn writes the head of an answer and its body apart, and each write is a call of the system's: the second one was a
    sixth of the event loop's time at 28 px.

    Args:
        transport: that is written to.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._waiting: list[bytes] = []
        # Asked in every request.
        self.is_closing = transport.is_closing
        self.pause_reading, self.resume_reading = transport.pause_reading, transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write at the end of this turn."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Close, after what was written."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Write what waits for the end of this turn."""
        if self._waiting:
            data, self._waiting = b"".join(self._waiting), []
            self._transport.write(data)


class BoundedHttp(HttpToolsProtocol):
    """A connection: refused past `MOST_CONNECTIONS`, and closed when its head is late (408) or too long (431)."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._timer: asyncio.TimerHandle | None = None
        self._received = self._body = 0
        self._begun = False
        self._piece = self._again = b""
        self._joined = JoinedWrites(transport, self.loop)
        super().connection_made(self._joined)  # type: ignore[arg-type]
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(503, f"{MOST_CONNECTIONS} connections are open already: try again")
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def eof_received(self) -> None:
        # A client that sends no more may wait for its answer, and the transport closes when this returns.
        self._joined.flush()
        super().eof_received()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        self._piece = data
        super().data_received(data)
        if self._again:
            data, self._again = self._again, b""
            super().data_received(data)
        if self._received - self._body > MOST_HEAD_BYTES + OVERHEAD * self._body and not self.transport.is_closing():
            self._refuse(431, f"the head of the request has more than {MOST_HEAD_BYTES:,} bytes: send fewer headers")

    def _should_upgrade(self) -> bool:
        return True

    def handle_websocket_upgrade(self) -> None:
        """Take a request that would rather speak another protocol as the one of HTTP/1.1 that it is, too.

        Java's HttpClient and `curl --http2` ask each server for HTTP/2 so, and the parser ends such a request with its head:
        its body was lost. It is read again, without the wish. Of `CONNECT` nothing else is left.
        """
        error = sys.exception()
        if self.scope["method"] == "CONNECT" or not isinstance(error, httptools.HttpParserUpgrade):
            self._refuse(400, "this is no request of HTTP/1.1")
            return
        lines = [b"%s %s HTTP/1.1" % (self.scope["method"].encode(), self.url)]
        for name, value in self.scope["headers"]:
            if name == b"connection":
                lines += [b"connection: close"] if b"close" in value.lower() else []
            elif name != b"upgrade":
                lines.append(name + b": " + value)
        self._again = b"\r\n".join(lines) + b"\r\n\r\n" + self._piece[error.args[0] :]
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        # From the next piece on: this one may have the end of another request.
        self._received = self._body = 0
        self._begun = True
        self._wait_for_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "this is no request of HTTP/1.1")

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._late)

    def _stop_waiting(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _late(self) -> None:
        if self._begun:
            self._refuse(408, f"the head of the request did not arrive in {HEAD_SECONDS:.0f} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer without the application, unless it is answering already; and close."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            content: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
            body = json.dumps(content).encode()
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
            head += f"Content-Length: {len(body)}\r\nConnection: close\r\n"
            head += "Retry-After: 1\r\n" if status == 503 else ""
            self.transport.write(head.encode() + b"\r\n" + body)
        self.transport.close()
