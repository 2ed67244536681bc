"""What ill will, careless tools and bad lines send to a running service: it refuses with a reason, stays small, and goes on."""

import asyncio
import base64
import io
import os
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.support import loops
from tests.support.running import Running, running

pytestmark = pytest.mark.slow

# MiB that the service may take at its peak, whatever comes.
ROOM = 600
MIB = 1 << 20
GIB = 1 << 30
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where it would write something, by the variable that has the folder."""
    return {name: str(tmp_path_factory.mktemp(name)) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}


@pytest.fixture(scope="module")
def service(shipped: Path, folders: dict[str, str]) -> Iterator[Running]:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", **folders}
    with running(shipped / "models/export", "--grace", "0", environment=environment) as found:
        yield found
        print(f"at most {found.peak() / MIB:.0f} MiB")


@pytest.fixture(autouse=True)
def unharmed(service: Running, shipped: Path, folders: dict[str, str]) -> Iterator[None]:
    """After each attempt it answers, in the same process, has taken no more than it may, and has written nothing."""
    yield
    image = next((shipped / "images").rglob("*.png")).read_bytes()
    assert httpx.post(url(service) + "/v1/predict", content=image, headers=PNG).status_code == 200
    assert service.process.poll() is None
    assert service.peak() < ROOM * MIB
    assert [path for folder in folders.values() for path in Path(folder).rglob("*")] == []


def url(service: Running) -> str:
    return f"http://127.0.0.1:{service.port}"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _zeros(size: int) -> bytes:
    """That many zeros, deflated without having them in memory."""
    deflate = zlib.compressobj(9)
    parts = [deflate.compress(bytes(MIB)) for _ in range(size // MIB)]
    return b"".join([*parts, deflate.compress(bytes(size % MIB)), deflate.flush()])


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = _chunk(b"IDAT", _zeros((width + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + pixels + _chunk(b"IEND", b"")


def _saved(form: str, side: int, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("L" if form != "WEBP" else "RGB", (side, side)).save(buffer, form, **options)
    return buffer.getvalue()


def _bombs() -> dict[str, bytes]:
    """Files that unfold into much more than they are."""
    gif = _saved("GIF", 16)
    jpeg = _saved("JPEG", 16)
    size = jpeg.index(b"\xff\xc0") + 5
    return {
        "13,300 squared": _png(13_300, 13_300),
        "one row": _png(40_000_000, 1),
        "a profile": _png(16, 16, _chunk(b"iCCP", b"a\0\0" + _zeros(64 * MIB))),
        "a text": _png(16, 16, _chunk(b"zTXt", b"a\0\0" + _zeros(64 * MIB))),
        "a GIF": gif[:6] + b"\xff\xff\xff\xff" + gif[10:],
        "a JPEG": jpeg[:size] + b"\xff\xdc\xff\xdc" + jpeg[size + 4 :],
        "a PPM": b"P6 100000 100000 255\n",
        "a BMP": b"BM" + struct.pack("<IIIIiiHHIIiiII", 2**31, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
        "a TIFF": _saved("TIFF", 9_000, compression="tiff_adobe_deflate"),
        "a WebP": _saved("WEBP", 16_000),
    }


def test_bombs_are_refused_by_their_heads(service: Running) -> None:
    async def send() -> list[tuple[str, int]]:
        async with httpx.AsyncClient(base_url=url(service), timeout=60) as client:
            bombs = [each for each in _bombs().items() for _ in range(10)]
            answers = [client.post("/v1/predict", content=data, headers=PNG) for _, data in bombs]
            found = await asyncio.gather(*answers)
        return [(name, answer.status_code) for (name, _), answer in zip(bombs, found, strict=True)]

    found = loops.run(send())
    # Text and profile of a picture of 16 pixels are none of its pixels, and are never unfolded.
    harmless = {"a profile": {200, 422}, "a text": {200, 422}}
    assert [each for each in found if each[1] not in harmless.get(each[0], {413, 422})] == []


@pytest.mark.parametrize("head", [f"Content-Length: {GIB}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("kind", ["image/png", "application/json", "multipart/form-data; boundary=b"])
def test_a_gigabyte_is_413(head: str, kind: str, service: Running) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(f"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n{head}\r\n\r\n".encode())
        piece = b"100000\r\n" + bytes(MIB) + b"\r\n" if "chunked" in head else bytes(MIB)
        if "multipart" in kind:
            start = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
            connection.sendall(b"%x\r\n%b\r\n" % (len(start), start) if "chunked" in head else start)
        try:
            for _ in range(1_024):
                connection.sendall(piece)
        except OSError:
            pass
        assert connection.recv(1_000).split()[1] == b"413"


def _form(parts: int, head: bytes) -> bytes:
    return b"".join(b"--b\r\n" + head % part + b"\r\n\r\nx\r\n" for part in range(parts)) + b"--b--\r\n"


@pytest.mark.parametrize(
    ("body", "kind", "statuses"),
    [
        (
            _form(10_000, b'Content-Disposition: form-data; name="a"; filename="%d"'),
            "multipart/form-data; boundary=b",
            {413},
        ),
        (_form(10_000, b'Content-Disposition: form-data; name="%d"'), "multipart/form-data; boundary=b", {413}),
        (_form(1, b"%d: a\r\n" * 1) + b"\r\n" * 10 * MIB, "multipart/form-data; boundary=b", {400}),
        (b"--b\r" * (6 * MIB), "multipart/form-data; boundary=b", {400}),
        (b"[" * 30 * MIB, "application/json", {413}),
        (b'{"image":"' + b"A" * 30 * MIB + b'"}', "application/json", {422}),
        (b'{"image":"' + b"\\u0041" * 5 * MIB + b'"}', "application/json", {422}),
        (b'{"image":"' + b"\\n" * 15 * MIB + b'"}', "application/json", {422}),
        (b"9" * 30 * MIB, "application/json", {400}),
        (bytes(30 * MIB), "image/png", {422}),
    ],
    ids=["files", "fields", "epilogue", "boundaries", "lists", "base64", "escapes", "newlines", "digits", "zeros"],
)
def test_large_bodies_of_nothing_are_refused_ten_at_a_time(
    body: bytes, kind: str, statuses: set[int], service: Running
) -> None:
    async def send() -> list[int]:
        async with httpx.AsyncClient(base_url=url(service), timeout=120) as client:
            headers = {"Content-Type": kind}
            answers = [client.post("/v1/predict", content=body, headers=headers) for _ in range(10)]
            return [answer.status_code for answer in await asyncio.gather(*answers)]

    found = loops.run(send())
    assert set(found) <= statuses | {503}
    assert statuses & set(found)


RAW = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (RAW + b"Content-Length: -1\r\n\r\n", 400),
        (RAW + b"Content-Length: 1e3\r\n\r\n", 400),
        (RAW + b"Content-Length: 99999999999999999999\r\n\r\n", 400),
        (RAW + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (RAW + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (RAW + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (RAW + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (RAW + b"Content-Length: 1\r\n\r\nabcdef\r\n\r\n", 400),
        (b"POST /\xff HTTP/1.1\r\n\r\n", 400),
        (b"POST http://[ HTTP/1.1\r\n\r\n", 400),
        (b"GET " + b"/" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", None),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\0" * 1_000, 400),
    ],
)
def test_odd_heads_and_lengths_are_no_fault(sent: bytes, status: int | None, service: Running) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while more := connection.recv(1 << 16):
            answer += more
    found = int(answer.split()[1]) if answer else None
    assert found == status or (status is None and found != 500)


def test_a_body_that_ends_too_soon_is_no_fault(service: Running) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
            connection.sendall(RAW + b"Content-Length: 1000\r\n\r\nabc")


def test_slow_clients_are_let_go_and_keep_nobody_waiting(service: Running) -> None:
    async def trickle(status: list[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(RAW + b"Content-Length: 100000\r\n\r\n")
        answer = asyncio.ensure_future(reader.read(100))
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait([answer], timeout=1)
        status.append(int(answer.result().split()[1]))
        writer.close()

    async def run() -> list[int]:
        statuses: list[int] = []
        clients = [asyncio.ensure_future(trickle(statuses)) for _ in range(200)]
        async with httpx.AsyncClient(base_url=url(service), timeout=5) as client:
            while len(statuses) < len(clients) and not any(each.done() and each.exception() for each in clients):
                assert (await client.get("/healthz")).status_code == 200
                await asyncio.sleep(0.5)
        await asyncio.gather(*clients)
        return statuses

    assert loops.run(run()) == [408] * 200


def test_many_large_uploads_at_once_are_answered_or_asked_to_come_again(service: Running) -> None:
    """Each close to the limit of a body, all of them far past what may be in memory."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield bytes(MIB)
            await asyncio.sleep(0.01)

    async def send() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(base_url=url(service), timeout=120, limits=limits) as client:
            answers = [client.post("/v1/predict", content=pieces(), headers=PNG) for _ in range(64)]
            return [
                each
                for each in await asyncio.gather(*answers, return_exceptions=True)
                if isinstance(each, httpx.Response)
            ]

    found = loops.run(send())
    assert {answer.status_code for answer in found} == {422, 503}
    assert all(answer.headers["retry-after"] for answer in found if answer.status_code == 503)


def test_a_thousand_questions_about_nothing(service: Running) -> None:
    encoded = base64.b64encode(b"nothing").decode()
    with httpx.Client(base_url=url(service)) as client:
        for _ in range(1_000):
            assert client.post("/v1/predict", json={"image": encoded}).status_code == 422
