"""`POST /v1/corrections`: a person says which class an image has; it goes into the inbox, from which the next run may learn."""

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.images.decode import TooManyPixels, UnreadableImage
from darkroom.labels.inbox import Correction, InboxFull
from darkroom.runtime.errors import DarkroomError
from darkroom.sources.class_names import folded
from serving.bodies import from_base64, read_json
from serving.forms import read_form
from serving.inbox import Corrections
from serving.limits import Limits
from serving.logs import LOG
from serving.problems import Problem
from serving.service import Service

# Characters of each, and bytes of a field of a form.
LONGEST = {"label": 1_000, "reviewer": 200, "reason": 1_000}
LONGEST_FIELD = 4_000
FIELDS = (*LONGEST, "sha256")
HASH = re.compile("[0-9a-f]{64}")
OFF = "this service takes no corrections: start it with --corrections FOLDER"


def routes(service: Service, limits: Limits) -> list[Route]:
    """The one address; it refuses everything where there is no inbox.

    Args:
        service: with the inbox, and the images that it answered last.
        limits: of a request.
    """

    async def correct(request: Request) -> Response:
        inbox = service.inbox
        if inbox is None:
            raise Problem(403, OFF)
        try:
            data, fields = await _read(request, limits)
            correction = _correction(fields, service.model.bundle.classes.names)
            data = data if data is not None else _recent(service, fields["sha256"])
            sha256 = hashlib.sha256(data).hexdigest()
            path = await asyncio.to_thread(_store, inbox, data, sha256, correction, service)
        except Problem:
            service.metrics.correction("refused")
            raise
        service.metrics.correction("accepted")
        LOG.info("a correction came in: %s", path)
        content = {"path": path, "sha256": sha256, "label": correction.label}
        return Response(json.dumps(content), 201, media_type="application/json")

    return [Route("/v1/corrections", correct, methods=["POST"])]


async def _read(request: Request, limits: Limits) -> tuple[bytes | None, dict[str, Any]]:
    """The bytes of the image, None where only its hash was sent, and the fields."""
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    data: bytes | None = None
    if media_type == "multipart/form-data":
        form = await read_form(content_type, request.stream(), limits, LONGEST_FIELD)
        if len(form.files) > 1:
            raise Problem(400, f"{len(form.files)} images: a correction is of one")
        data = form.files[0][2] if form.files else None
        fields: dict[str, Any] = dict(form.fields)
    elif media_type == "application/json":
        fields = read_json(await request.body())
        if "image" in fields:
            data = from_base64(fields.pop("image"), "image")
    else:
        raise Problem(415, f"{media_type!r} is no form of a correction: send a multipart form, or JSON")
    if unknown := sorted(fields.keys() - set(FIELDS)):
        raise Problem(400, f"{unknown[0]!r} is no field of a correction: known are image, {', '.join(FIELDS)}")
    if (data is None) == ("sha256" not in fields):
        raise Problem(400, "a correction needs an image, or the sha256 of one that was just answered, and not both")
    return data, fields


def _correction(fields: dict[str, Any], classes: Sequence[str]) -> Correction:
    """The fields, checked.

    Raises:
        Problem: 422 where one is missing or too long, or there is no such class.
    """
    for name, longest in LONGEST.items():
        value = fields.get(name)
        if not isinstance(value, str) or not value.strip():
            raise Problem(422, f"there is no {name}: a correction needs {', '.join(LONGEST)}")
        if len(value) > longest:
            raise Problem(422, f"{name} has {len(value):,} characters, and {longest:,} is the limit")
    label = fields["label"]
    if label not in classes:
        near = [name for name in classes if folded(name) == folded(label)] or get_close_matches(label, classes, 3)
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ": /v1/model lists all"
        raise Problem(422, f"there is no class {label[:100]!r}{meant}")
    return Correction(label, fields["reviewer"].strip(), fields["reason"].strip())


def _recent(service: Service, sha256: object) -> bytes:
    if not isinstance(sha256, str) or not HASH.fullmatch(sha256):
        raise Problem(400, f"sha256 is {str(sha256)[:80]!r}, should be 64 hex digits")
    data = service.recent.get(sha256) if service.recent else None
    if data is None:
        raise Problem(404, "no image with this hash was answered lately: send the image itself")
    return data


def _store(inbox: Corrections, data: bytes, sha256: str, correction: Correction, service: Service) -> str:
    try:
        return inbox.add(data, sha256, correction, service.model.bundle.preprocessing)
    except TooManyPixels as error:
        raise Problem(413, str(error)) from None
    except UnreadableImage as error:
        raise Problem(422, str(error)) from None
    except InboxFull as error:
        raise Problem(
            507,
            f"{error}: whoever runs the service should empty it, or raise --corrections-images or --corrections-bytes",
        ) from None
    except DarkroomError as error:
        LOG.warning("%s", error)
        raise Problem(507, "the inbox can't be read: tell whoever runs the service, whose log has the reason") from None
    except OSError as error:
        LOG.warning("the inbox can't be written: %s", error.strerror)
        raise Problem(507, f"the inbox can't be written ({error.strerror}): tell whoever runs the service") from None
