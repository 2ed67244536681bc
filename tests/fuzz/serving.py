"""The service over damaged uploads, in every form in which it takes them: an answer, or a reason; never a fault."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import httpx

from serving.app import make_app
from serving.limits import Limits
from serving.service import Service
from tests.fuzz.images import sound_images
from tests.fuzz.mutations import ODD_VALUES, mutate_bytes, mutate_json
from tests.fuzz.outcome import Outcome
from tests.support import loops

ANSWERED, REFUSED = {200}, {400, 404, 405, 406, 413, 415, 422}
BOUNDARY = b"4f0a"
HEADERS = {"raw": "image/png", "form": "multipart/form-data; boundary=4f0a", "json": "application/json"}
KINDS = ("image/png", "image/jpeg", "application/octet-stream")
ODD_KINDS = ("image/", "IMAGE/x;;=", ";", "\t", "text/plain", "application/x-www-form-urlencoded")
OPTIONS = ("", "?top_k=1", "?explain=false")
ODD_OPTIONS = ("?top_k=0", "?top_k=", "?top_k=1e9", "?explain=x", "?=", "?%00=%ff", "?top_k=1&top_k=1")
PATHS = ("/v1/predict", "/v1/predict", "/v1/predict", "/v1/explain", "/invocations")
INFER = "/v2/models/darkroom/infer"

Sent = tuple[str, bytes, dict[str, str]]


def fuzz_serving(count: int, seed: int, folder: Path, bundle: Path) -> Outcome:
    """Send so many uploads, most of them damaged; arguments as `tests.fuzz.bundles.fuzz_bundles`."""
    found = Outcome()
    service = Service(bundle, threads=1, batch=8)
    try:
        loops.run(_send_all(found, count, seed, service))
    finally:
        service.close()
    return found


async def _send_all(found: Outcome, count: int, seed: int, service: Service) -> None:
    sound = sorted(sound_images().items())
    app = make_app(service, Limits(body=1 << 20, images=8))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://fuzz") as client:
        for number in range(count):
            random = Random(f"{seed} {number}")
            files = [
                (name, data if random.random() < 0.3 else mutate_bytes(data, random))
                for name, data in _some(sound, random)
            ]
            make: Callable[[list[tuple[str, bytes]], Random], Sent] = random.choice((_raw, _form, _json, _infer))
            path, body, headers = make(files, random)
            name = f"upload {number}"
            try:
                answer = await client.post(path, content=body, headers=headers)
            except Exception as error:  # whatever it is, it is a fault
                found.faults.append(f"{name}: {path} {type(error).__name__}: {str(error)[:150]}")
                continue
            _judge(found, f"{name}: POST {path}", answer)


def _some(sound: list[tuple[str, bytes]], random: Random) -> list[tuple[str, bytes]]:
    """Names and bytes of one file or a few, a part of them damaged."""
    chosen = random.choices(sound, k=random.choice((1, 1, 1, 2, 9)))
    return [(name, data if random.random() < 0.3 else mutate_bytes(data, random)) for name, data in chosen]


def _address(random: Random) -> str:
    return random.choice(PATHS) + random.choice(OPTIONS if random.random() < 0.8 else ODD_OPTIONS)


def _raw(files: list[tuple[str, bytes]], random: Random) -> Sent:
    kind = random.choice(KINDS if random.random() < 0.9 else ODD_KINDS)
    return _address(random), files[0][1], {"Content-Type": kind}


def _form(files: list[tuple[str, bytes]], random: Random) -> Sent:
    body = b""
    for name, data in files:
        field = random.choice((b"image", b"image", b"images", b"a\x00", b"\xff", b""))
        head = b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n\r\n'
        body += head % (BOUNDARY, field, name.encode()) + data + b"\r\n"
    if random.random() < 0.3:
        value = str(random.choice(ODD_VALUES)).encode("utf-8", "replace")
        body += b'--%b\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n%b\r\n' % (BOUNDARY, value)
    body += b"--%b--\r\n" % BOUNDARY
    if random.random() < 0.3:
        body = mutate_bytes(body, random)
    return _address(random), body, {"Content-Type": HEADERS["form"]}


def _json(files: list[tuple[str, bytes]], random: Random) -> Sent:
    texts = [base64.b64encode(data).decode() for _, data in files]
    content = {"image": texts[0]} if len(texts) == 1 else {"images": texts}
    if random.random() < 0.5:
        content = mutate_json(content | {"top_k": 2, "explain": False}, random)
    path = _address(random)
    return path, _dump(content, random), {"Content-Type": HEADERS["json"]}


def _infer(files: list[tuple[str, bytes]], random: Random) -> Sent:
    data: list[object] = [base64.b64encode(data).decode() for _, data in files]
    tensor = {"name": "images", "datatype": "BYTES", "shape": [len(data)], "data": data}
    if random.random() < 0.3:
        side = random.choice((8, 8, 9))
        tensor |= {"datatype": "UINT8", "shape": [1, side, side, 3], "data": [random.randrange(256)] * side * side * 3}
    content = {
        "id": "a",
        "inputs": [tensor],
        "outputs": [{"name": "label"}],
        "parameters": {"binary_data_output": True},
    }
    headers = {"Content-Type": HEADERS["json"]}
    body = _dump(mutate_json(content, random) if random.random() < 0.5 else content, random)
    if random.random() < 0.3:
        headers["Inference-Header-Content-Length"] = random.choice(
            (str(len(body)), "0", "-1", "9" * 9, str(len(body) // 2))
        )
        body += random.randbytes(random.randrange(50))
    return INFER, body, headers


def _dump(content: object, random: Random) -> bytes:
    # NaN and infinities, half characters and numbers past every range stay what they are.
    body = json.dumps(content).encode()
    return mutate_bytes(body, random) if random.random() < 0.3 else body


def _judge(found: Outcome, name: str, answer: httpx.Response) -> None:
    status, kind = answer.status_code, answer.headers.get("content-type", "")
    if status in ANSWERED:
        found.answered += 1
        if kind == "application/json":
            contents = answer.json()
            for each in contents if isinstance(contents, list) else []:
                found.require(name, bool(each.get("label") or each.get("error")), "neither an answer nor a reason")
        return
    found.refused += 1
    found.require(name, status in REFUSED, f"status {status}: {answer.text[:150]}")
    detail = answer.json().get("detail") or answer.json().get("error")
    found.require(name, bool(detail) and "Traceback" not in detail, f"no reason: {answer.text[:150]}")
