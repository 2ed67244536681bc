"""What a request may cost before anything reads it: bytes of its body, seconds to send it, bytes of all bodies together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import Problem

MIB = 1 << 20
# Content codings that change nothing: an unfolded body would have no limit that its length could be held against.
PLAIN = (b"", b"identity")


@dataclass(frozen=True)
class Limits:
    """Limits of a request.

    Attributes:
        body: bytes of a body; 413.
        images: in a request; 413.
        held: bytes of all bodies that are in memory at a time; 503.
        seconds: that a body may take; 408. `slowest` adds to them.
        slowest: bytes a second that add one second each, so that a large photograph gets through a thin line.
        longest: seconds that a body may take at most.
    """

    body: int = 32 * MIB
    images: int = 64
    held: int = 128 * MIB
    seconds: float = 20.0
    slowest: int = 32_000
    longest: float = 120.0


class LimitBodies:
    """Middleware: counts the bytes of bodies as they arrive, for every route, and raises a `Problem` where a route reads on.

    Args:
        app: that is asked.
        limits: of a request.
        busy: why no image can be taken now; None where one can. Asked before a byte of a body is read: of 200 clients that
            come back at once with photographs, reading what is then refused took all the time of the event loop.
    """

    def __init__(self, app: ASGIApp, limits: Limits, busy: Callable[[], Problem | None] = lambda: None) -> None:
        self.app, self.limits, self.busy = app, limits, busy
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body = _Body(self, scope, receive)
        try:
            await self.app(scope, body.receive, send)
        finally:
            self.held -= body.received


class _Body:
    """The body of one request."""

    def __init__(self, shared: LimitBodies, scope: Scope, receive: Receive) -> None:
        self.shared, self.limits, self.next = shared, shared.limits, receive
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.received = 0
        self.started: float | None = None
        self.ended = False

    async def receive(self) -> Message:
        if self.ended:
            return await self.next()
        loop = asyncio.get_running_loop()
        if self.started is None:
            self._check_head()
            self.started = loop.time()
        limits = self.limits
        seconds = min(limits.longest, limits.seconds + self.received / limits.slowest)
        try:
            async with asyncio.timeout_at(self.started + seconds):
                message = await self.next()
        except TimeoutError:
            raise Problem(
                408,
                f"the body did not arrive: {self.received:,} bytes in {seconds:.0f} s; send it faster, or a smaller image",
                headers={"Connection": "close"},
            ) from None
        self._count(len(message.get("body", b"")))
        self.ended = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    def _check_head(self) -> None:
        """Refuse what the head of the request shows already, before a byte of the body is read."""
        if problem := self.shared.busy():
            raise problem
        for name, value in self.headers:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > self.limits.body:
                raise self._too_large(f"{int(value[:20]):,}")
            if name == b"content-encoding" and value.strip().lower() not in PLAIN:
                raise Problem(
                    415,
                    f"the body has the content coding {value.decode('latin-1')!r}: send it as it is; image files are "
                    "compressed already",
                    headers={"Accept-Encoding": "identity"},
                )

    def _count(self, more: int) -> None:
        self.received += more
        self.shared.held += more
        if self.received > self.limits.body:
            raise self._too_large(f"more than {self.limits.body:,}")
        if self.shared.held > self.limits.held:
            raise Problem(
                503, f"other requests hold {self.shared.held / MIB:.0f} MiB of images already: try again", retry_after=1
            )

    def _too_large(self, found: str) -> Problem:
        return Problem(
            413, f"the body has {found} bytes, and {self.limits.body:,} is the limit: send fewer images at a time"
        )
