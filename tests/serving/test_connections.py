"""Connections that never become a request: late, endless or no heads."""

import asyncio
import json
import select
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving import connections
from serving.connections import MOST_HEAD_BYTES, BoundedHttp
from tests.support.loops import run


async def count(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server in a thread."""
    app = Starlette(routes=[Route("/", count, methods=["GET", "POST"])])
    server = uvicorn.Server(uvicorn.Config(app, http=BoundedHttp, loop="asyncio", log_level="critical", lifespan="off"))
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as made:
        yield made


def answer(connection: socket.socket) -> tuple[int, str]:
    """Status and body, up to the end of the connection."""
    data = b""
    while more := connection.recv(1 << 16):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def closes(connection: socket.socket, start: bytes, flood: bytes) -> bool:
    """Whether the other side closes before 16 MiB have come."""
    try:
        connection.sendall(start)
        for _ in range(256):
            connection.sendall(flood * ((1 << 16) // len(flood)))
    except OSError:
        return True
    return False


def test_what_is_no_http_is_a_problem(connection: socket.socket) -> None:
    connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
    status, body = answer(connection)
    assert (status, json.loads(body)["title"]) == (400, "Bad Request")


@pytest.mark.parametrize("sent", [b"", b"POST / HTTP/1.1\r\nHost: a\r\n"])
def test_a_late_head_is_closed(sent: bytes, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(sent)
        if sent:
            assert answer(connection)[0] == 408
        else:
            assert connection.recv(1) == b""


def test_a_head_and_a_body_in_pieces_are_answered(connection: socket.socket) -> None:
    for piece in (b"POST / HT", b"TP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Enc", b"oding: chunked\r\n\r\n"):
        connection.sendall(piece)
    connection.sendall(b"1\r\na\r\n" * 30_000 + b"0\r\n\r\n")
    status, body = answer(connection)
    assert status == 200
    assert "30000" in body


@pytest.mark.parametrize("flood", [b"X-A: b\r\n", b"x"])
@pytest.mark.parametrize(
    "start",
    [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: "],
    ids=["address", "head", "trailers"],
)
def test_what_never_ends_is_closed(start: bytes, flood: bytes, connection: socket.socket) -> None:
    assert closes(connection, start, flood)


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_who_would_rather_speak_another_protocol_is_answered_in_this_one(
    protocol: bytes, connection: socket.socket
) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: " + protocol
    connection.sendall(head + b"\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 9\r\n\r\n1234")
    connection.sendall(b"56789")
    assert answer(connection) == (200, "9")


def test_nobody_is_connected_to_another_host(connection: socket.socket) -> None:
    connection.sendall(b"CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\n")
    assert answer(connection)[0] == 400


def test_a_long_head_is_431(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nX: ")
    # In pieces: what is sent after it has closed would take its answer away.
    while not select.select([connection], [], [], 0.02)[0]:
        connection.sendall(b"x" * (MOST_HEAD_BYTES // 2))
    assert answer(connection)[0] == 431


def test_more_connections_than_may_be_are_503(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 0)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        assert answer(connection)[0] == 503


def test_what_is_written_in_one_turn_leaves_together_and_before_the_end() -> None:
    said: list[bytes] = []

    class Transport:
        is_closing = pause_reading = resume_reading = None
        write = staticmethod(said.append)

        def close(self) -> None:
            said.append(b"closed")

    async def write() -> None:
        transport = connections.JoinedWrites(Transport(), asyncio.get_running_loop())  # type: ignore[arg-type]
        transport.write(b"head ")
        transport.write(b"body")
        assert said == []
        await asyncio.sleep(0)
        transport.write(b"last")
        transport.close()
        await asyncio.sleep(0)

    run(write())
    assert said == [b"head body", b"last", b"closed"]
