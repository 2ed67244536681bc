"""Every way in which clients send images, and the probabilities in the answers: for checks in process and over the network."""

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from darkroom.inference.session import INPUT, OUTPUT
from darkroom.runtime.arrays import Float32s, UInt8s
from darkroom.runtime.errors import DarkroomError

# A request at a time holds at most these, so that it is within the limits of a service as it starts.
IMAGES, BYTES = 64, 8 << 20
# Where Vertex AI asks, in the checks; a container gets it in AIP_PREDICT_ROUTE.
VERTEX_ROUTE = "/vertex/predict"
BINARY = "application/octet-stream"


@dataclass(frozen=True)
class Asked:
    """Images for one request.

    Attributes:
        files: the bytes of each image file.
        pixels: uint8 [N, S, S, C] of the same images, as the graph takes them.
    """

    files: Sequence[bytes]
    pixels: UInt8s


Ask = Callable[[httpx.AsyncClient, Asked, Sequence[str]], Awaitable[list[list[float]]]]


def requests(files: Iterable[bytes], pixels: UInt8s) -> Iterator[Asked]:
    """Images in as many requests as the limits ask for; no more files are held than one request takes."""
    held: list[bytes] = []
    start = 0
    for data in files:
        if held and (len(held) == IMAGES or sum(map(len, held)) + len(data) > BYTES):
            yield Asked(held, pixels[start : start + len(held)])
            start, held = start + len(held), []
        held.append(data)
    yield Asked(held, pixels[start:])


async def probabilities(
    client: httpx.AsyncClient, form: str, files: Iterable[bytes], pixels: UInt8s, classes: Sequence[str]
) -> Float32s:
    """Ask for images in one of the forms, request after request.

    Args:
        client: of a service; its base address is set.
        form: one of `FORMS`.
        files: the bytes of each image file, at least one.
        pixels: uint8 [N, S, S, C] of the same images.
        classes: in the order of the class list.

    Returns:
        float32 [N, K].

    Raises:
        DarkroomError: when the service can't be reached, refuses a request, or has other classes.
    """
    try:
        rows = [row for asked in requests(files, pixels) for row in await FORMS[form](client, asked, classes)]
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise DarkroomError(f"{client.base_url} can't be reached ({reason}): is the service running?") from None
    return np.array(rows, np.float32)


async def _raw(client: httpx.AsyncClient, asked: Asked, classes: Sequence[str]) -> list[list[float]]:
    headers = {"Content-Type": BINARY}
    found = [await _post(client, "/v1/predict", content=data, headers=headers) for data in asked.files]
    return _answers(found, classes)


async def _multipart(client: httpx.AsyncClient, asked: Asked, classes: Sequence[str]) -> list[list[float]]:
    files = [("images", (str(place), data, BINARY)) for place, data in enumerate(asked.files)]
    return _answers(await _post(client, "/v1/predict", files=files), classes)


async def _json(client: httpx.AsyncClient, asked: Asked, classes: Sequence[str]) -> list[list[float]]:
    return _answers(await _post(client, "/v1/predict", json={"images": _base64(asked.files)}), classes)


async def _sagemaker(client: httpx.AsyncClient, asked: Asked, classes: Sequence[str]) -> list[list[float]]:
    headers = {"Content-Type": "application/x-image"}
    found = [await _post(client, "/invocations", content=data, headers=headers) for data in asked.files]
    return _answers(found, classes)


async def _vertex(client: httpx.AsyncClient, asked: Asked, classes: Sequence[str]) -> list[list[float]]:
    instances = [{"b64": each} for each in _base64(asked.files)]
    return _answers((await _post(client, VERTEX_ROUTE, json={"instances": instances}))["predictions"], classes)


async def _v2_uint8(client: httpx.AsyncClient, asked: Asked, classes: Sequence[str]) -> list[list[float]]:
    return await _v2(client, "UINT8", list(asked.pixels.shape), asked.pixels.tobytes(), classes)


async def _v2_bytes(client: httpx.AsyncClient, asked: Asked, classes: Sequence[str]) -> list[list[float]]:
    files = b"".join(len(data).to_bytes(4, "little") + data for data in asked.files)
    return await _v2(client, "BYTES", [len(asked.files)], files, classes)


async def _v2(
    client: httpx.AsyncClient, datatype: str, shape: list[int], data: bytes, classes: Sequence[str]
) -> list[list[float]]:
    """With the binary extension: the data follow the JSON."""
    tensor = {"name": INPUT, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": OUTPUT}]}).encode()
    headers = {"Content-Type": BINARY, "Inference-Header-Content-Length": str(len(head))}
    found = await _post(client, "/v2/models/darkroom/infer", content=head + data, headers=headers)
    (output,) = found["outputs"]
    rows: list[list[float]] = np.array(output["data"]).reshape(output["shape"]).tolist()
    if {len(row) for row in rows} != {len(classes)}:
        raise DarkroomError(
            f"the service gives probabilities of {output['shape'][1]} classes, and the bundle has {len(classes)}"
        )
    return rows


FORMS: dict[str, Ask] = {
    "raw": _raw,
    "multipart": _multipart,
    "JSON": _json,
    "v2 UINT8": _v2_uint8,
    "v2 BYTES": _v2_bytes,
    "SageMaker": _sagemaker,
    "Vertex AI": _vertex,
}


def _base64(files: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(data).decode() for data in files]


async def _post(client: httpx.AsyncClient, path: str, **request: Any) -> Any:
    response = await client.post(path, **request)
    if response.status_code != 200:
        raise DarkroomError(f"{path} answered with {response.status_code}: {response.text[:300]}")
    return response.json()


def _answers(found: list[dict[str, Any]], classes: Sequence[str]) -> list[list[float]]:
    for each in found:
        if "error" in each:
            raise DarkroomError(f"the service refuses a test image: {each['error']}")
        if set(each["probabilities"]) != set(classes):
            theirs, ours = (", ".join(names) for names in (each["probabilities"], classes))
            raise DarkroomError(f"the service has the classes {theirs}, and the bundle {ours}")
    return [[each["probabilities"][name] for name in classes] for each in found]
