"""The Open Inference Protocol, version 2, as KServe, Triton, OpenVINO and their clients speak it, with its binary extension.

github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; the extension is Triton's "binary tensor
data", with which numbers and files travel as they are.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.inference.session import INPUT
from serving.limits import Limits
from serving.problems import Problem, problem_response
from serving.service import Answer, LoadedModel, Refused, Service
from serving.v1 import json_response, refusal, unless_client_left
from serving.v2_tensors import JSON_LENGTH, read_images, split_body

OUTPUTS = {"probabilities": "FP32", "label": "BYTES", "abstains": "BOOL"}

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class _Wanted:
    """An output that a client asks for."""

    name: str
    binary: bool


def routes(service: Service, limits: Limits, name: str) -> list[Route]:
    """The addresses under /v2.

    Args:
        service: that answers.
        limits: of a request.
        name: of the model.
    """

    async def server(_: Request) -> Response:
        return json_response({"name": "darkroom", "version": "2", "extensions": ["binary_tensor_data"]})

    async def live(_: Request) -> Response:
        return json_response({"live": True})

    async def ready(_: Request) -> Response:
        return _ready({"ready": service.ready})

    async def model_ready(request: Request) -> Response:
        _require_model(request, name, service.model)
        return _ready({"name": name, "ready": service.ready})

    async def metadata(request: Request) -> Response:
        model = service.model
        _require_model(request, name, model)
        return json_response(_metadata(name, model))

    async def infer(request: Request) -> Response:
        model = service.model
        _require_model(request, name, model)
        content, binary = split_body(request, await request.body())
        images = read_images(content, binary, model.bundle.preprocessing, limits)
        wanted = _wanted(content)
        if not isinstance(content.get("id", ""), str):
            raise Problem(400, f"id is {str(content['id'])[:40]}, should be text")
        work = service.predict_pixels(images) if isinstance(images, np.ndarray) else service.predict(images)
        found = await unless_client_left(request, work)
        return _answer(name, content.get("id"), wanted, _all_answered(service, found))

    handlers: list[tuple[str, str, Handler]] = [("GET", "/v2", server)]
    handlers += [("GET", "/v2/health/live", live), ("GET", "/v2/health/ready", ready)]
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        handlers += [("GET", path, metadata), ("GET", f"{path}/ready", model_ready), ("POST", f"{path}/infer", infer)]
    return [Route(path, _with_errors(handler), methods=[method]) for method, path, handler in handlers]


def _with_errors(handler: Handler) -> Handler:
    """Give errors the protocol's form: `{"error": …}`."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Problem as problem:
            response = problem_response(problem)
            response.body = json.dumps({"error": problem.detail}).encode()
            response.headers["content-type"] = "application/json"
            response.headers["content-length"] = str(len(response.body))
            return response

    handle.__name__ = handler.__name__
    return handle


def _ready(content: dict[str, object]) -> Response:
    return Response(json.dumps(content), 200 if content["ready"] else 503, media_type="application/json")


def version(model: LoadedModel) -> str:
    """The version of a model: the first digits of its bundle's hash."""
    return model.hash[:12]


def _require_model(request: Request, name: str, model: LoadedModel) -> None:
    asked = request.path_params
    if asked["name"] != name:
        raise Problem(400, f"there is no model {asked['name']!r}: the one here is {name!r}")
    if asked.get("version", version(model)) != version(model):
        raise Problem(400, f"the model {name!r} has no version {asked['version']!r}: {version(model)!r} is loaded")


def _metadata(name: str, model: LoadedModel) -> dict[str, object]:
    side, channels = model.bundle.preprocessing.size, model.bundle.preprocessing.channels
    shapes = {"probabilities": [-1, len(model.bundle.classes)], "label": [-1], "abstains": [-1]}
    return {
        "name": name,
        "versions": [version(model)],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, side, side, channels]}],
        "outputs": [{"name": each, "datatype": kind, "shape": shapes[each]} for each, kind in OUTPUTS.items()],
    }


def _wanted(content: dict[str, Any]) -> list[_Wanted]:
    parameters = content.get("parameters") or {}
    outputs = content.get("outputs") or [{"name": name} for name in OUTPUTS]
    if not isinstance(parameters, dict) or not isinstance(outputs, list):
        raise Problem(400, "parameters should be an object, and outputs a list")
    all_binary = parameters.get("binary_data_output") is True
    wanted = []
    for place, each in enumerate(outputs):
        if not isinstance(each, dict):
            raise Problem(400, f'outputs[{place}] is {str(each)[:40]!r}, should be an object: {{"name": "label"}}')
        name = each.get("name")
        if name not in list(OUTPUTS):
            raise Problem(400, f"there is no output {str(name)[:80]!r}: those here are {', '.join(OUTPUTS)}")
        given = each.get("parameters") or {}
        wanted.append(
            _Wanted(name, bool(given.get("binary_data", all_binary)) if isinstance(given, dict) else all_binary)
        )
    return wanted


def _all_answered(service: Service, found: list[Answer | Refused]) -> list[Answer]:
    """The answers; tensors have no place for an image without one, so that it refuses the request."""
    for place, each in enumerate(found):
        if isinstance(each, Refused):
            problem = refusal(service, each)
            where = f"image {place}: " if len(found) > 1 else ""
            raise Problem(problem.status, where + problem.detail, problem.retry_after)
    return [each for each in found if isinstance(each, Answer)]


def _answer(name: str, request_id: object, wanted: list[_Wanted], found: list[Answer]) -> Response:
    outputs, data = [], b""
    for each in wanted:
        shape, values, raw = _output(each.name, found)
        tensor: dict[str, object] = {"name": each.name, "datatype": OUTPUTS[each.name], "shape": shape}
        if each.binary:
            outputs.append(tensor | {"parameters": {"binary_data_size": len(raw)}})
            data += raw
        else:
            outputs.append(tensor | {"data": values})
    content: dict[str, object] = {"model_name": name, "model_version": version(found[0].model)}
    content |= {"id": request_id} if request_id is not None else {}
    content["outputs"] = outputs
    if not any(each.binary for each in wanted):
        return json_response(content)
    head = json.dumps(content).encode()
    return Response(head + data, media_type="application/octet-stream", headers={JSON_LENGTH: str(len(head))})


def _output(name: str, found: list[Answer]) -> tuple[list[int], list[Any], bytes]:
    """Shape, values for JSON, and bytes of an output."""
    predictions = [each.prediction for each in found]
    if name == "probabilities":
        rows = np.array([list(each.probabilities.values()) for each in predictions], "<f4")
        # As text they are the numbers of every other address: seven digits.
        return list(rows.shape), [p for each in predictions for p in each.probabilities.values()], rows.tobytes()
    if name == "label":
        labels = [each.label for each in predictions]
        texts = [label.encode("utf-8", "surrogateescape") for label in labels]
        return [len(labels)], labels, b"".join(len(text).to_bytes(4, "little") + text for text in texts)
    abstains = [each.abstains for each in predictions]
    return [len(abstains)], abstains, bytes(abstains)
