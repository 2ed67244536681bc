"""From a request to images: the body may be the image itself, a form with files, or JSON with base64."""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from serving.forms import read_form
from serving.limits import Limits
from serving.problems import Problem
from serving.service import Upload

TAKES = "an image as the body (Content-Type: image/*), a multipart form with files, or JSON with base64"
# Values in a JSON body: one of 32 MiB may hold ten million lists, which take a GiB.
MOST_VALUES = 10_000
# Beside image/*: what curl sends, and SageMaker's name for an image.
RAW = ("application/octet-stream", "application/x-image")
IMAGES = ("image", "images")
OPTIONS = ("top_k", "explain")
BOOLEANS = {"true": True, "false": False}
# Keys that others' services take addresses in.
ADDRESS_KEYS = ("url", "urls", "image_url", "image_urls", "uri")
ADDRESS = re.compile(r"\s*(https?|ftp|file|s3|gs)://", re.IGNORECASE)
DATA_URL = re.compile(r"data:[\w.+/;=-]*;base64,")


@dataclass(frozen=True)
class Question:
    """What a client asks.

    Attributes:
        uploads: at least one image.
        several: answer with a list, also for one.
        top_k: classes in an answer, the most probable first; None gives all.
        explain: make heat maps, too.
    """

    uploads: list[Upload]
    several: bool
    top_k: int | None
    explain: bool


async def read_question(request: Request, limits: Limits, options: Iterable[str] = OPTIONS) -> Question:
    """Read the body and the parameters of a request.

    Args:
        request: any of the three forms.
        limits: of the request.
        options: that this address takes.

    Raises:
        Problem: 400, 413, 415 with the reason.
    """
    options = tuple(options)
    given: dict[str, Any] = _once(request.query_params.multi_items()) if request.scope["query_string"] else {}
    content_type = request.headers.get("content-type", "application/octet-stream")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("image/") or media_type in RAW:
        uploads, several = [Upload("", await request.body())], False
    elif media_type == "multipart/form-data":
        form = await read_form(content_type, request.stream(), limits)
        given = _merge(given, form.fields)
        uploads = [Upload(name, data) for _, name, data in form.files]
        several = len(uploads) != 1 or form.files[0][0] == "images"
    elif media_type == "application/json":
        content = read_json(await request.body())
        uploads, several = _json_images(content, limits)
        given = _merge(given, {key: value for key, value in content.items() if key not in IMAGES})
    else:
        raise Problem(415, f"{media_type!r} is no form of images that is read here: send {TAKES}")
    top_k, explain = read_options(given, options)
    if not uploads:
        raise Problem(400, f"there is no image in the request: send {TAKES}")
    return Question(uploads, several, top_k, explain)


def read_options(given: dict[str, Any], options: tuple[str, ...] = OPTIONS) -> tuple[int | None, bool]:
    """`top_k` and `explain` of a request.

    Args:
        given: all its parameters.
        options: that its address takes.

    Raises:
        Problem: 400 for another one, or another value.
    """
    for key in given:
        if key not in options:
            raise Problem(400, _unknown(key, options))
    return _count(given.get("top_k")), _boolean(given.get("explain"))


def read_json(data: bytes, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """A JSON object from the bytes of a body.

    Args:
        data: the body.
        most_values: counted before anything is made of them.

    Raises:
        Problem: 400 where it is no JSON object, or has a key twice; 413 where it has too many values.
    """
    if sum(data.count(each) for each in (b"[", b"{", b",")) > most_values:
        raise Problem(413, f"the JSON body has more than {most_values:,} values: send fewer at a time")
    try:
        content = json.loads(data, object_pairs_hook=_object)
    except RecursionError:
        raise Problem(400, "the JSON body is nested too deep") from None
    except ValueError as error:
        raise Problem(400, f"the body is no JSON in UTF-8: {error}") from None
    if not isinstance(content, dict):
        raise Problem(400, 'the JSON body is no object: send {"image": "<base64>"} or {"images": ["<base64>", …]}')
    return content


def from_base64(text: object, where: str) -> bytes:
    """The bytes of an image in base64, which may be wrapped in lines, be a data URL, or have the letters for addresses (`-`
    and `_`, RFC 4648, section 5) and no padding at its end.

    Args:
        text: of the body.
        where: its place, for the message.

    Raises:
        Problem: 400 where it is none.
    """
    if not isinstance(text, str):
        raise Problem(400, f"{where} is no text: send the bytes of the image file in base64")
    if ADDRESS.match(text[:64]):
        raise Problem(
            400, f"{where} is an address, and none is ever fetched: send the bytes of the image file in base64"
        )
    if found := DATA_URL.match(text[:200]):
        text = text[found.end() :]
    text = "".join(text.split()).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Problem(400, f"{where} is no base64: send the bytes of the image file in base64") from None


def _json_images(content: dict[str, Any], limits: Limits) -> tuple[list[Upload], bool]:
    for key in ADDRESS_KEYS:
        if key in content:
            raise Problem(400, f"{key}: no address is ever fetched; send the bytes of the image file in base64")
    if "image" in content and "images" in content:
        raise Problem(400, "the JSON body has both image and images: send one of them")
    if "image" in content:
        return [Upload("", from_base64(content["image"], "image"))], False
    images = content.get("images", [])
    if not isinstance(images, list):
        raise Problem(400, "images is no list: send one image as image")
    if len(images) > limits.images:
        raise Problem(
            413, f"{len(images):,} images in a request, and {limits.images} is the limit: send them in several"
        )
    return [Upload("", from_base64(each, f"images[{place}]")) for place, each in enumerate(images)], True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in content if keys.count(key) > 1)
        raise Problem(400, f"{twice[:40]!r} is in an object of the JSON body twice: send it once")
    return content


def _once(items: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return _merge({}, *({name: value} for name, value in items))


def _merge(given: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    merged = dict(given)
    for other in others:
        for key, value in other.items():
            if key in merged:
                raise Problem(400, f"{key} is given twice: send it once")
            merged[key] = value
    return merged


def _unknown(key: str, options: tuple[str, ...]) -> str:
    if key in ADDRESS_KEYS:
        return f"{key}: no address is ever fetched; send the image itself"
    known = " and ".join(options)
    return f"{key!r} is no parameter here: " + (f"known are {known}" if known else "there are none")


def _count(value: object) -> int | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value) if type(value) is int else ""
    if not re.fullmatch("[0-9]{1,100}", text) or int(text) < 1:
        raise Problem(400, f"top_k is {str(value)[:40]!r}, should be a count of classes: 1 or more")
    return int(text)


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value is None:
        return False
    if not isinstance(value, str) or value.lower() not in BOOLEANS:
        raise Problem(400, f"explain is {str(value)[:40]!r}, should be true or false")
    return BOOLEANS[value.lower()]
