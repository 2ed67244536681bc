"""The addresses under /v1: predictions, heat maps, and what the model is."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.predict.output import prediction_json
from serving.bodies import Question, read_question
from serving.limits import Limits
from serving.model import LoadedModel
from serving.openapi import OF_KEYS, problem_responses
from serving.problems import Problem
from serving.service import Answer, Refused, Service


class ModelInfo(BaseModel):
    """What the model is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    classes: list[str]
    """the class list, in order"""
    class_hash: str
    """of the class list"""
    threshold: float | None
    """confidence below which the model abstains; null where it never does"""
    preprocessing: dict[str, Any]
    """size, channels and resize rule, as `model.json` has them"""
    network: str
    """its name"""
    graph: str
    """file of the bundle that predicts"""
    data_version: str
    """of the data that the model was trained on"""
    code_version: str
    """of the code of its training"""
    hash: str
    """SHA-256 of `bundle.json`, which has the hashes of all other files"""
    since: datetime
    """when it began to answer, in UTC"""
    limits: dict[str, int]
    """`body_bytes` and `images` of a request, at most"""
    corrections: bool
    """whether `/v1/corrections` takes any"""


Result = TypeVar("Result")
# Seconds before it is looked whether the client is still there: most answers are out by then, and looking costs a task.
PATIENCE = 0.1
# Refusals that only tell of the service's load.
BUSY = (503, 504)


def routes(service: Service, limits: Limits) -> list[Route]:
    """`/v1/predict`, `/v1/explain` and `/v1/model`.

    Args:
        service: that answers.
        limits: of a request.
    """

    async def predict(request: Request) -> Response:
        question = await read_question(request, limits)
        found = await unless_client_left(request, service.predict(question.uploads, question.explain))
        return answer_question(service, question, found)

    async def explain(request: Request) -> Response:
        question = await read_question(request, limits, options=())
        if len(question.uploads) != 1:
            raise Problem(400, f"{len(question.uploads)} images: a heat map is made for one at a time")
        (found,) = await unless_client_left(request, service.predict(question.uploads, explain=True))
        if isinstance(found, Refused):
            raise refusal(service, found)
        assert found.heatmap is not None
        return Response(found.heatmap, media_type="image/png", headers={"X-Model-Hash": found.model.hash})

    async def model() -> ModelInfo:
        return model_info(service.model, limits, service.inbox is not None)

    return [
        # Plain Starlette: 13 to 15% more requests a second than FastAPI's own route at 28 px.
        Route("/v1/predict", predict, methods=["POST"]),
        Route("/v1/explain", explain, methods=["POST"]),
        APIRoute(
            "/v1/model",
            model,
            methods=["GET"],
            summary="What the model is",
            operation_id="model",
            responses=problem_responses(*OF_KEYS),
            openapi_extra={"x-codeSamples": [{"lang": "curl", "source": "curl URL/v1/model"}]},
        ),
    ]


async def unless_client_left(request: Request, work: Awaitable[Result]) -> Result:
    """The result of some work, which is cancelled when the client closes the connection.

    Args:
        request: whose body has been read.
        work: as `Service.predict` gives it.

    Raises:
        ClientDisconnect: when the client left.
    """
    loop, here = asyncio.get_running_loop(), asyncio.current_task()
    assert here is not None
    watches: list[asyncio.Task[None]] = []
    gone = False

    async def cancel_when_left() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        here.cancel()

    timer = loop.call_later(PATIENCE, lambda: watches.append(loop.create_task(cancel_when_left())))
    try:
        return await work
    except asyncio.CancelledError:
        # Somebody else may have cancelled this as well.
        if gone and here.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        timer.cancel()
        for watch in watches:
            watch.cancel()


def refusal(service: Service, found: Refused) -> Problem:
    """The problem of an image that was asked alone; where the queue is full, with the seconds until it is not."""
    return Problem(found.status, found.reason, retry_after=service.retry_after() if found.status == 503 else None)


def json_response(content: object, headers: dict[str, str] | None = None) -> Response:
    """JSON in UTF-8; half characters, which have none, are escaped."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
    return Response(data, media_type="application/json", headers=headers)


def answer_json(found: Answer | Refused, top_k: int | None) -> dict[str, object]:
    """One object: as `darkroom.predict --json` gives it, with the heat map as a data URL; or `path`, `error`, `status`."""
    if isinstance(found, Refused):
        return {"path": found.name, "error": found.reason, "status": found.status}
    heatmap = f"data:image/png;base64,{base64.b64encode(found.heatmap).decode()}" if found.heatmap else None
    return prediction_json(found.prediction, top_k, heatmap)


def model_info(model: LoadedModel, limits: Limits, corrections: bool) -> ModelInfo:
    """The answer of `GET /v1/model`."""
    bundle = model.bundle
    about = bundle.session.get_modelmeta().custom_metadata_map
    return ModelInfo(
        classes=list(bundle.classes.names),
        class_hash=bundle.classes.hash,
        threshold=bundle.calibration.threshold,
        preprocessing=bundle.preprocessing.to_dict(),
        network=about["network"],
        graph=bundle.graph,
        data_version=bundle.data_version,
        code_version=about["code_version"],
        hash=model.hash,
        since=model.since,
        limits={"body_bytes": limits.body, "images": limits.images},
        corrections=corrections,
    )


def answer_question(
    service: Service, question: Question, found: Sequence[Answer | Refused], lines: bool = False
) -> Response:
    """The answer: an object for one image, a list in order where several were sent.

    Args:
        service: that answered.
        question: what was asked.
        found: one for each image.
        lines: one object a line in place of a list.

    Raises:
        Problem: where the one image has no answer, or no image of several for the load.
    """
    if isinstance(found[0], Refused) and not question.several:
        raise refusal(service, found[0])
    refuse_all_busy(service, found)
    contents = [answer_json(each, question.top_k) for each in found]
    # All of one model, by `Service.predict`.
    model = next(({"X-Model-Hash": each.model.hash} for each in found if isinstance(each, Answer)), None)
    if lines:
        data = b"".join(bytes(json_response(each).body) + b"\n" for each in contents)
        return Response(data, media_type="application/jsonlines", headers=model)
    return json_response(contents if question.several else contents[0], model)


def refuse_all_busy(service: Service, found: Sequence[Answer | Refused]) -> None:
    """Refuse a list that found no place at all as any other request; all other lists are answered with 200.

    Raises:
        Problem: 503 or 504.
    """
    refused = [each for each in found if isinstance(each, Refused) and each.status in BUSY]
    if len(refused) == len(found):
        raise refusal(service, refused[0])
