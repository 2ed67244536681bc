"""Tensors of the Open Inference Protocol as images: numbers or files, in the JSON or as binary data after it."""

import re
from typing import Any

import numpy as np
from starlette.requests import Request

from darkroom.inference.session import INPUT
from darkroom.model.spec import Preprocessing
from darkroom.runtime.arrays import UInt8s
from darkroom.runtime.text import count
from serving.bodies import from_base64, read_json
from serving.limits import Limits
from serving.problems import Problem
from serving.service import Upload

JSON_LENGTH = "inference-header-content-length"
# Numbers in a JSON body: a million are read in 40 ms, during which nothing else is answered. More go as binary data.
MOST_NUMBERS = 1_000_000


def split_body(request: Request, body: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON of a request, and the binary data after it.

    Raises:
        Problem: 400, 413 with the reason.
    """
    given = request.headers.get(JSON_LENGTH)
    if given is None:
        return read_json(body, MOST_NUMBERS), b""
    if not re.fullmatch("[0-9]{1,12}", given) or int(given) > len(body):
        raise Problem(400, f"{JSON_LENGTH} is {given[:40]!r}, should be the length of the JSON, at most {len(body):,}")
    return read_json(body[: int(given)], MOST_NUMBERS), body[int(given) :]


def read_images(
    content: dict[str, Any], binary: bytes, preprocessing: Preprocessing, limits: Limits
) -> UInt8s | list[Upload]:
    """The one input.

    Args:
        content: the JSON of a request.
        binary: what came after it.
        preprocessing: of the model.
        limits: of a request.

    Returns:
        Pixels uint8 [N, S, S, C] as the graph takes them, or image files.

    Raises:
        Problem: 400, 413 with the reason.
    """
    inputs = content.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise Problem(400, f"inputs should be a list of one tensor, named {INPUT!r}")
    tensor: dict[str, Any] = inputs[0]
    if tensor.get("name") != INPUT:
        raise Problem(400, f"there is no input {str(tensor.get('name'))[:80]!r}: the one here is {INPUT!r}")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not shape or not all(type(each) is int and each > 0 for each in shape):
        raise Problem(400, f"the shape of {INPUT!r} is {str(shape)[:80]}, should be a list of whole numbers from 1")
    if shape[0] > limits.images:
        raise Problem(413, f"{shape[0]:,} images in a request, and {limits.images} is the limit: send them in several")
    raw = _binary_data(tensor, binary)
    if tensor.get("datatype") == "BYTES":
        if shape not in ([shape[0]], [shape[0], 1]):
            raise Problem(400, f"the shape of BYTES is {shape}, should be [N]: an image file each")
        return _files(tensor.get("data") if raw is None else raw, shape[0])
    if tensor.get("datatype") == "UINT8":
        side, channels = preprocessing.size, preprocessing.channels
        if shape[1:] != [side, side, channels]:
            raise Problem(400, f"the shape of UINT8 is {shape}, should be [N, {side}, {side}, {channels}]")
        return _pixels(tensor.get("data") if raw is None else raw, shape)
    raise Problem(
        400, f"the datatype is {str(tensor.get('datatype'))[:40]!r}, should be UINT8 (pixels) or BYTES (image files)"
    )


def _binary_data(tensor: dict[str, Any], binary: bytes) -> bytes | None:
    """The binary data of the one input; None where its data are in the JSON."""
    parameters = tensor.get("parameters") or {}
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        if binary:
            raise Problem(400, f"{len(binary):,} bytes follow the JSON, and no input has a binary_data_size")
        return None
    if size != len(binary) or type(size) is not int:
        raise Problem(400, f"binary_data_size is {str(size)[:40]}, and {count(len(binary), 'byte')} follow the JSON")
    if "data" in tensor:
        raise Problem(400, "the input has both data and a binary_data_size: send one of them")
    return binary


def _files(data: object, images: int) -> list[Upload]:
    if isinstance(data, bytes):
        files, at = list[bytes](), 0
        while at < len(data) and len(files) <= images:
            start = at + 4
            at = start + int.from_bytes(data[at:start], "little")
            if at > len(data) or start > len(data):
                raise Problem(
                    400, "the binary data end within an image file: each has its length before it, in 4 bytes"
                )
            files.append(data[start:at])
    elif isinstance(data, list):
        flat = [each[0] if isinstance(each, list) and len(each) == 1 else each for each in data]
        files = [from_base64(each, f"data[{place}]") for place, each in enumerate(flat[: images + 1])]
    else:
        raise Problem(400, "the data of BYTES should be a list of image files in base64, or follow the JSON")
    if len(files) != images:
        raise Problem(400, f"the data have {count(len(files), 'image')}, and the shape says {images}")
    return [Upload("", file) for file in files]


def _pixels(data: object, shape: list[int]) -> UInt8s:
    try:
        pixels = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else np.array(data)
    except ValueError:
        raise Problem(400, "the data of UINT8 are lists of different lengths") from None
    if pixels.dtype.kind not in "iu" or pixels.min(initial=0) < 0 or pixels.max(initial=0) > 255:
        raise Problem(400, "the data of UINT8 should be whole numbers from 0 to 255, row after row")
    if pixels.size != np.prod(shape):
        raise Problem(
            400, f"the data have {count(pixels.size, 'number')}, and the shape {shape} says {np.prod(shape):,}"
        )
    return pixels.astype(np.uint8).reshape(shape)
