"""From a request to images, or to the reason why not."""

import base64
import io
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.bodies import read_question
from serving.limits import Limits
from serving.problems import handle_problems

LIMITS = Limits(body=200_000, images=3)
DATA = b"\x89PNG, as bytes are\r\n\x00\xff"
TEXT = base64.b64encode(DATA).decode()
Headers = dict[str, str]


@pytest.fixture(scope="module")
def client() -> TestClient:
    async def ask(request: Request) -> Response:
        question = await read_question(request, LIMITS)
        images = [[each.name, each.data.hex()] for each in question.uploads]
        return JSONResponse([images, question.several, question.top_k, question.explain])

    app = Starlette(routes=[Route("/", ask, methods=["POST"])])
    handle_problems(app)
    return TestClient(app)


def form(*parts: bytes, end: bytes = b"--b--\r\n") -> tuple[bytes, Headers]:
    body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + end
    return body, {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"content": DATA, "headers": {"Content-Type": "image/jpeg"}}, [[("", DATA)], False]),
        ({"content": DATA, "headers": {"Content-Type": "IMAGE/x-odd; q=1"}}, [[("", DATA)], False]),
        ({"content": DATA}, [[("", DATA)], False]),
        ({"content": b"", "headers": {"Content-Type": "image/png"}}, [[("", b"")], False]),
        ({"files": {"image": ("é' 图.png", DATA)}}, [[("é' 图.png", DATA)], False]),
        ({"files": {"images": ("a", DATA)}}, [[("a", DATA)], True]),
        ({"files": [("x", ("a", DATA)), ("y", ("b", b""))]}, [[("a", DATA), ("b", b"")], True]),
        ({"json": {"image": TEXT}}, [[("", DATA)], False]),
        ({"json": {"image": "data:image/png;base64," + TEXT}}, [[("", DATA)], False]),
        ({"json": {"images": [TEXT[:8] + "\n " + TEXT[8:], ""]}}, [[("", DATA), ("", b"")], True]),
    ],
)
def test_images_arrive_as_they_were_sent(request_: dict[str, Any], expected: list[Any], client: TestClient) -> None:
    found = client.post("/", **request_)
    images, several, *_ = found.json()
    assert [[(name, bytes.fromhex(data)) for name, data in images], several] == expected


@pytest.mark.parametrize(
    ("request_", "top_k", "explain"),
    [
        ({"url": "/?top_k=2&explain=true", "content": DATA}, 2, True),
        ({"url": "/?explain=False", "content": DATA}, None, False),
        ({"url": "/", "files": {"image": DATA}, "data": {"top_k": "1000000000", "explain": "True"}}, 10**9, True),
        ({"url": "/?top_k=1", "json": {"image": TEXT, "explain": True}}, 1, True),
    ],
)
def test_options_are_in_the_address_or_beside_the_image(
    request_: dict[str, Any], top_k: int | None, explain: bool, client: TestClient
) -> None:
    assert client.post(**request_).json()[2:] == [top_k, explain]


@pytest.mark.parametrize(
    ("request_", "status", "reason"),
    [
        ({"url": "/?top_k=0", "content": DATA}, 400, "top_k is '0'"),
        ({"url": "/?top_k=-1", "content": DATA}, 400, "top_k is '-1'"),
        ({"url": "/?top_k=" + "9" * 5000, "content": DATA}, 400, "top_k is '999"),
        ({"url": "/?top_k=١", "content": DATA}, 400, "top_k is"),
        ({"url": "/?top_k=1&top_k=2", "content": DATA}, 400, "top_k is given twice"),
        ({"url": "/?topk=1", "content": DATA}, 400, "'topk' is no parameter here: known are top_k and explain"),
        ({"url": "/?url=http://a/b.png", "content": DATA}, 400, "no address is ever fetched"),
        ({"url": "/?explain=1", "content": DATA}, 400, "explain is '1', should be true or false"),
        ({"url": "/?top_k=1", "json": {"image": TEXT, "top_k": 1}}, 400, "top_k is given twice"),
        ({"url": "/", "json": {"image": TEXT, "top_k": True}}, 400, "top_k is 'True'"),
        ({"url": "/", "json": {"image": TEXT, "explain": 1}}, 400, "explain is '1'"),
        ({"url": "/", "json": {"url": "http://a/b.png"}}, 400, "no address is ever fetched"),
        ({"url": "/", "json": {"image": " HTTPS://a/b.png"}}, 400, "image is an address, and none is ever fetched"),
        ({"url": "/", "json": {"image": "file:///etc/passwd"}}, 400, "image is an address, and none is ever fetched"),
        ({"url": "/", "json": {"image": "?"}}, 400, "image is no base64"),
        ({"url": "/", "json": {"image": "AAAAA"}}, 400, "image is no base64"),
        ({"url": "/", "json": {"image": "é"}}, 400, "image is no base64"),
        ({"url": "/", "json": {"images": [TEXT, None]}}, 400, "images[1] is no text"),
        ({"url": "/", "json": {"images": TEXT}}, 400, "images is no list"),
        ({"url": "/", "json": {"images": []}}, 400, "there is no image"),
        ({"url": "/", "json": {}}, 400, "there is no image"),
        ({"url": "/", "json": [TEXT]}, 400, "no object"),
        ({"url": "/", "json": {"image": TEXT, "images": [TEXT]}}, 400, "both image and images"),
        ({"url": "/", "json": {"images": [TEXT] * 4}}, 413, "4 images in a request, and 3 is the limit"),
        ({"url": "/", "files": [("images", ("a", DATA))] * 4}, 413, "more than 3 images"),
        ({"url": "/", "files": {"image": DATA}, "data": {"url": "x"}}, 400, "no address is ever fetched"),
        ({"url": "/", "files": {"image": DATA}, "data": {"a": "b"}}, 400, "'a' is no parameter"),
        ({"url": "/", "files": {"image": DATA}, "data": {"top_k": "x" * 200}}, 400, "'top_k' has more than 100 bytes"),
        ({"url": "/", "files": {"image": DATA}, "data": {"top_k": ["1", "2"]}}, 400, "'top_k' is there twice"),
        ({"url": "/", "data": {"a": "b"}}, 415, "'application/x-www-form-urlencoded' is no form of images"),
        ({"url": "/", "content": DATA, "headers": {"Content-Type": "text/plain"}}, 415, "'text/plain'"),
    ],
)
def test_what_is_wrong_is_named_with_the_remedy(
    request_: dict[str, Any], status: int, reason: str, client: TestClient
) -> None:
    found = client.post(**request_)
    assert (found.status_code, found.headers["content-type"]) == (status, "application/problem+json")
    assert reason in found.json()["detail"]


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "no JSON"),
        (b'{"image": "', 400, "no JSON"),
        (b'{"image": "\xff"}', 400, "no JSON"),
        (b"[" * 5_000, 400, "nested too deep"),
        (b'{"a":' * 5_000, 400, "nested too deep"),
        (b"[" + b"[]," * 20_000 + b"[]]", 413, "more than 10,000 values"),
        (b'{"images": [' + b"1," * 20_000 + b"1]}", 413, "more than 10,000 values"),
        (b'{"image": ' + b"9" * 5_000 + b"}", 400, "no JSON"),
        (b'{"image": "\\ud800"}', 400, "no base64"),
        (b'{"image": "QQ==", "\\ud800": 1}', 400, "no parameter"),
        (b'{"image": NaN}', 400, "no text"),
        (b'{"image": "QQ==", "image": "QUE="}', 400, "'image' is in an object of the JSON body twice"),
    ],
)
def test_odd_json_is_refused_with_a_reason(body: bytes, status: int, reason: str, client: TestClient) -> None:
    found = client.post("/", content=body, headers=JSON)
    assert found.status_code == status
    assert reason in found.json()["detail"]


@pytest.mark.parametrize(
    ("parts", "end", "reason"),
    [
        ([], b"", "cut"),
        ([b'name="image"; filename="a"\r\n\r\nabc'], b"", "cut"),
        ([b'name="image"; filename="a"\r\n\r\nabc'], b"--c--", "cut"),
        ([b'filename="a"\r\n\r\nabc'], b"--b--", "no name"),
        ([b"name=a\r\n" + b"X: y\r\n" * 100 + b"\r\n"], b"--b--", "damaged"),
        ([b"name=a\r\nX: " + b"y" * 10_000 + b"\r\n\r\n"], b"--b--", "damaged"),
        ([b'name="image"\r\n\r\n' + DATA * 10], b"--b--\r\n", "needs one (curl -F image=@FILE)"),
        ([b'name="%d"\r\n\r\n' % n for n in range(17)], b"--b--\r\n", "more than 16 fields"),
    ],
)
def test_odd_forms_are_refused_with_a_reason(parts: list[bytes], end: bytes, reason: str, client: TestClient) -> None:
    body, headers = form(*parts, end=end)
    found = client.post("/", content=body, headers=headers)
    assert found.status_code in (400, 413)
    assert reason in found.json()["detail"]


def test_a_form_without_a_boundary_is_refused(client: TestClient) -> None:
    for boundary in ("", "; boundary=", "; boundary=" + "b" * 300):
        headers = {"Content-Type": "multipart/form-data" + boundary}
        assert client.post("/", content=b"--b", headers=headers).status_code == 400


def test_a_file_is_read_whole_however_it_is_cut(client: TestClient) -> None:
    data = (b"\r\n--b\r\n--", b"\r", b"\n--", b"x\r\n-")
    for size in (1, 2, 3, 7, 1000):
        whole = b"".join(data) + DATA * 50
        body, headers = form(b'name="image"; filename="a"\r\n\r\n' + whole.replace(b"\r\n--b", b"\r\n--c"))
        pieces = (body[start : start + size] for start in range(0, len(body), size))
        images, *_ = client.post("/", content=pieces, headers=headers).json()
        assert bytes.fromhex(images[0][1]) == whole.replace(b"\r\n--b", b"\r\n--c")


@pytest.mark.parametrize("length", range(1, 8))
def test_base64_for_addresses_without_padding_is_read(length: int, client: TestClient) -> None:
    data = b"\xfb\xff" * length + b"\xfe"[: length % 2]
    for text in (base64.urlsafe_b64encode(data).decode(), base64.b64encode(data).decode()):
        for sent in (text, text.rstrip("=")):
            assert client.post("/", json={"image": sent}).json()[0] == [["", data.hex()]]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (b"filename*=UTF-8''na%C3%AFve%20%E2%82%AC.png", "naïve €.png"),
        (b"filename*=iso-8859-1'en'na%EFve.png", "naïve.png"),
        (b"filename=\"a.png\"; filename*=utf-8''b.png", "a.png"),
        (b"filename*=utf-8''%FF.png", "\ufffd.png"),
    ],
)
def test_a_file_name_in_the_extended_form_is_read(options: bytes, name: str, client: TestClient) -> None:
    body, headers = form(b'name="image"; ' + options + b"\r\n\r\n" + DATA)
    assert client.post("/", content=body, headers=headers).json()[0] == [[name, DATA.hex()]]


def test_base64_of_the_standard_library_is_read(client: TestClient) -> None:
    wrapped = io.BytesIO()
    base64.encode(io.BytesIO(DATA * 100), wrapped)
    images, *_ = client.post("/", json={"image": wrapped.getvalue().decode()}).json()
    assert bytes.fromhex(images[0][1]) == DATA * 100
