"""The OpenAPI document of the addresses for platforms, of corrections and of metrics, all of which are plain Starlette."""

from typing import Any

from serving.limits import Limits
from serving.openapi import (
    OF_BODIES,
    OF_KEYS,
    REASONS,
    ImageError,
    Prediction,
    body_of_images,
    json_content,
    problem_responses,
    ref,
    texts,
)

BASE64 = {"type": "string", "contentEncoding": "base64"}
TEXT = {"type": "string", "minLength": 1}
INTEGER = {"type": "integer"}


def platform_operations(limits: Limits, model_name: str) -> dict[str, Any]:
    """The path items.

    Args:
        limits: of a request.
        model_name: that the Open Inference Protocol has for the model.
    """
    model = f"/v2/models/{model_name}"
    ready = {"200": {"description": "Yes."}, "503": {"description": "Not now."}}
    answer = {"anyOf": [ref(Prediction), {"type": "array", "items": {"anyOf": [ref(Prediction), ref(ImageError)]}}]}
    invocations: dict[str, Any] = {
        "summary": "Predict, as SageMaker asks",
        "description": "Takes what `/v1/predict` takes, and `application/x-image`; with `Accept: application/jsonlines` one "
        "object a line.",
        "operationId": "invocations",
        "requestBody": body_of_images(limits, options=True),
        "responses": {"200": json_content("The answer.", answer)} | texts(problem_responses(*OF_BODIES)),
    }
    invocations["responses"]["406"] = {"description": "The answer has none of the forms in `Accept`."}
    return {
        "/v1/corrections": {"post": _correct()},
        "/invocations": {"post": invocations},
        "/ping": {
            "get": {"summary": "Whether it is ready, as SageMaker asks", "operationId": "ping", "responses": ready}
        },
        "/metrics": {"get": _metrics()},
        "/v2": {"get": _get("What the server is, by the Open Inference Protocol", "v2")},
        "/v2/health/live": {"get": _get("Whether the process is alive, by the protocol", "v2_live", keys=False)},
        "/v2/health/ready": {"get": _get("Whether it is ready, by the protocol", "v2_ready", keys=False, ready=True)},
        model: {"get": _get("Names, types and shapes of the model's tensors", "v2_model")},
        f"{model}/ready": {"get": _get("Whether the model is ready", "v2_model_ready", ready=True)},
        f"{model}/infer": {"post": _infer(model)},
    }


def _get(summary: str, operation: str, keys: bool = True, ready: bool = False) -> dict[str, Any]:
    responses = {"200": json_content("It is.", {"type": "object"})} | (
        texts(problem_responses(*OF_KEYS)) if keys else {}
    )
    if ready:
        responses["503"] = json_content("Not now.", {"type": "object"})
    return {"summary": summary, "operationId": operation, "responses": responses}


def _metrics() -> dict[str, Any]:
    text = {"description": "Prometheus's text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    responses = {"200": text} | texts(problem_responses(*OF_KEYS))
    return {"summary": "What the service counts", "operationId": "metrics", "responses": responses}


def _correct() -> dict[str, Any]:
    about = {"label": TEXT, "reviewer": TEXT, "reason": TEXT}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    form: dict[str, Any] = {"type": "object", "properties": {"image": file, **about}, "required": ["image", *about]}
    by_image: dict[str, Any] = {
        "type": "object",
        "properties": {"image": BASE64, **about},
        "required": ["image", *about],
    }
    sha256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    by_hash: dict[str, Any] = {
        "type": "object",
        "properties": {"sha256": sha256, **about},
        "required": ["sha256", *about],
    }
    for each in (form, by_image, by_hash):
        each["additionalProperties"] = False
    stored = {"type": "object", "properties": {"path": TEXT, "sha256": sha256, "label": TEXT}}
    responses = {"201": json_content("It is in the inbox.", stored)} | texts(problem_responses(*OF_BODIES))
    responses |= texts(problem_responses(404, 507))
    return {
        "summary": "Say which class an image has",
        "description": "The image and its class go into the inbox of the service, with who says so and why; where it was just "
        "answered, its SHA-256 is enough.",
        "operationId": "correct",
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                "application/json": {"schema": {"oneOf": [by_image, by_hash]}},
            },
        },
        "responses": responses,
        "x-codeSamples": [
            {
                "lang": "curl",
                "source": "curl -F image=@photo.jpg -F label=CLASS -F reviewer=NAME -F 'reason=…' URL/v1/corrections",
            }
        ],
    }


def _infer(model: str) -> dict[str, Any]:
    tensor = {
        "type": "object",
        "properties": {
            "name": {"const": "images"},
            "datatype": {"enum": ["UINT8", "BYTES"]},
            "shape": {"type": "array", "items": INTEGER | {"minimum": 1}},
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
        "required": ["name", "datatype", "shape"],
    }
    output = {
        "type": "object",
        "properties": {"name": {"enum": ["probabilities", "label", "abstains"]}, "parameters": {"type": "object"}},
        "required": ["name"],
    }
    request = {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1, "maxItems": 1},
            "outputs": {"type": "array", "items": output},
            "parameters": {"type": "object"},
        },
        "required": ["inputs"],
    }
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    responses = {"200": json_content("The tensors.", {"type": "object", "required": ["model_name", "outputs"]})}
    responses["200"]["content"]["application/octet-stream"] = {}
    responses |= texts(problem_responses(*OF_KEYS, 500))
    responses |= {str(each): json_content(REASONS[each], error) for each in (400, 408, 413, 415, 422, 503, 504)}
    return {
        "summary": "Predict, by the Open Inference Protocol",
        "description": "Pixels as the graph takes them (`UINT8`) or image files (`BYTES`, in JSON as base64); as binary data "
        f"after the JSON, with `Inference-Header-Content-Length`. `{model}/versions/VERSION/infer` asks for a version.",
        "operationId": "v2_infer",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": request},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            },
        },
        "responses": responses,
    }
