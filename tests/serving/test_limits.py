"""Bodies are refused by their head, or as soon as they are too much; and what one request holds is given back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import pytest
from starlette.types import Message, Receive, Scope, Send

from serving.limits import LimitBodies, Limits
from serving.problems import Problem
from tests.support import loops

Wait = Callable[[], Awaitable[object]]
LIMITS = Limits(body=100, held=150, seconds=0.05, slowest=1_000_000)


class Reader:
    """An application that reads a body, and holds it until it may go."""

    def __init__(self) -> None:
        self.pieces = 0
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            message = await receive()
            self.pieces += 1
            more = message.get("more_body", False)
        await self.go.wait()


async def ask(
    app: LimitBodies,
    pieces: Iterable[bytes],
    *headers: tuple[bytes, bytes],
    wait: Wait | None = None,
) -> None:
    remaining = iter([*pieces])

    async def receive() -> Message:
        if wait:
            await wait()
        piece = next(remaining, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await app({"type": "http", "headers": list(headers)}, receive, send)


def test_a_long_body_is_refused_by_its_head_before_a_byte_is_read() -> None:
    async def run() -> None:
        reader = Reader()
        for length in (b"101", b"1" * 50, b"0101"):
            with pytest.raises(Problem) as found:
                await ask(LimitBodies(reader, LIMITS), [b"x"], (b"content-length", length))
            assert found.value.status == 413
        assert reader.pieces == 0
        await ask(LimitBodies(reader, LIMITS), [b"x" * 100], (b"content-length", b"100"))

    loops.run(run())


def test_while_too_many_wait_a_body_is_refused_before_a_byte_is_read() -> None:
    async def run() -> None:
        reader, full = Reader(), [Problem(503, "256 images wait", retry_after=2)]
        app = LimitBodies(reader, LIMITS, lambda: full[0] if full else None)
        with pytest.raises(Problem, match="256 images wait"):
            await ask(app, [b"x"])
        assert reader.pieces == 0
        full.clear()
        await ask(app, [b"x"])

    loops.run(run())


def test_one_that_does_not_say_its_length_is_refused_where_it_becomes_too_long() -> None:
    async def run() -> None:
        reader = Reader()
        app = LimitBodies(reader, LIMITS)
        with pytest.raises(Problem, match=r"more than 100 bytes") as found:
            await ask(app, [b"x" * 30] * 1_000)
        assert (found.value.status, reader.pieces, app.held) == (413, 3, 0)

    loops.run(run())


def test_bodies_together_have_a_limit_and_give_back_what_they_held() -> None:
    async def run() -> None:
        reader = Reader()
        app = LimitBodies(reader, LIMITS)
        reader.go.clear()
        first = asyncio.ensure_future(ask(app, [b"x" * 90]))
        await asyncio.sleep(0)
        assert app.held == 90
        with pytest.raises(Problem) as found:
            await ask(app, [b"x" * 90])
        assert (found.value.status, found.value.retry_after) == (503, 1)
        assert app.held == 90
        reader.go.set()
        await first
        await ask(app, [b"x" * 90])
        assert app.held == 0

    loops.run(run())


def test_a_body_that_does_not_come_is_408() -> None:
    async def run() -> None:
        with pytest.raises(Problem) as found:
            await ask(LimitBodies(Reader(), LIMITS), [b"x"], wait=asyncio.Event().wait)
        assert (found.value.status, found.value.headers) == (408, {"Connection": "close"})

    loops.run(run())


def test_what_comes_after_the_body_may_take_any_time() -> None:
    """A route that waits until the client leaves."""

    async def run() -> None:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            while (await receive()).get("more_body"):
                pass
            await receive()

        waits = iter([0.0, 0.0, 3 * LIMITS.seconds])
        await ask(LimitBodies(app, LIMITS), [b"x"], wait=lambda: asyncio.sleep(next(waits)))

    loops.run(run())


def test_a_coding_that_unfolds_is_refused() -> None:
    async def run() -> None:
        for coding in (b"gzip", b"br, identity", b"\xff"):
            with pytest.raises(Problem) as found:
                await ask(LimitBodies(Reader(), LIMITS), [b"x"], (b"content-encoding", coding))
            assert found.value.status == 415
        await ask(LimitBodies(Reader(), LIMITS), [b"x"], (b"content-encoding", b" Identity"))

    loops.run(run())
