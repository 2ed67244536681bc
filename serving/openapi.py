"""The OpenAPI document: what FastAPI makes of its routes, and the addresses that are plain Starlette."""

from collections.abc import Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from serving.limits import Limits
from serving.problems import MEDIA_TYPE

ABOUT = """Classifies images with a bundle of Darkroom. Errors are `application/problem+json` (RFC 9457). Each answer has an
`X-Request-ID`, which the service's log has, too; one that a client sends is taken over. No address that a client sends is ever
fetched."""

REASONS = {
    400: "The request is damaged, or a parameter is wrong.",
    401: "An API key is needed, or the one given is unknown.",
    403: "The API key lacks the scope; or a page of another host asks, which was not named; or it is off.",
    404: "Nothing is known by this name.",
    408: "The body did not arrive in time.",
    413: "Too many bytes, images or pixels.",
    415: "The Content-Type is no form of images, or the body has a content coding.",
    422: "The image can't be read; `detail` is the reason, as `ingest` gives it.",
    429: "The API key is past its rate.",
    500: "The service failed; its log has the reason under the request id.",
    503: "As many images wait as may; `Retry-After` has seconds, from the measured rate.",
    504: "The answer was not there before the deadline.",
    507: "The inbox is full, or can't be written.",
}
OF_KEYS = (401, 403, 429)
OF_BODIES = (400, *OF_KEYS, 408, 413, 415, 422, 500, 503, 504)


class Prediction(BaseModel):
    """The answer for one image."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    path: str
    """name of the file, where the client sent one; else empty"""
    answer: str | None
    """the class; null where the model abstains"""
    label: str
    """the class with the highest probability"""
    confidence: float = Field(ge=0, le=1)
    """that probability"""
    abstains: bool
    """whether the confidence is below the threshold"""
    threshold: float | None
    """confidence below which the model abstains; null where it never does"""
    probabilities: dict[str, float]
    """of every class, in the order of the class list; with `top_k` of the most probable ones, the most probable first"""
    heatmap: str | None = Field(default=None, pattern="^data:image/png;base64,")
    """what in the image speaks for the label: a PNG as a data URL; only where it was asked for"""


class ImageError(BaseModel):
    """In a list, the place of an image without an answer."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    path: str
    """name of the file, where the client sent one; else empty"""
    error: str
    """the reason, as `ingest` gives it"""
    status: int
    """of HTTP, were it asked alone"""


class ProblemDetails(BaseModel):
    """What is wrong, where, and what to do."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    title: str
    """the phrase of HTTP for the status"""
    status: int
    """of HTTP"""
    detail: str
    """one sentence for people"""
    request_id: str
    """as in `X-Request-ID`"""


def ref(model: type[BaseModel]) -> dict[str, str]:
    """Where the document has the form of a model."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of an operation."""
    content = {MEDIA_TYPE: {"schema": ref(ProblemDetails)}}
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        found[status] = {"description": REASONS[status], "content": content}
        if status in (429, 503):
            found[status]["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return found


def predict_operations(limits: Limits) -> dict[str, Any]:
    """The path items of /v1/predict and /v1/explain."""
    one, several = ref(Prediction), {"anyOf": [ref(Prediction), ref(ImageError)]}
    answer = {"anyOf": [one, {"type": "array", "items": several}]}
    hash_header = {"description": "hash of the model that answered", "schema": {"type": "string"}}
    model = {"X-Model-Hash": hash_header}
    predict = {
        "summary": "Predict the classes of images",
        "description": "One object for an image as the body, as the only file of a form, or as `image` in JSON; a list in "
        "order for several, or for `images`. In a list an image that can't be read has an object with its error.",
        "operationId": "predict",
        "parameters": [
            _parameter(
                "top_k", "so many classes, the most probable first; without it all", {"type": "integer", "minimum": 1}
            ),
            _parameter(
                "explain", "make heat maps, too: some fifty predictions each", {"type": "boolean", "default": False}
            ),
        ],
        "requestBody": body_of_images(limits, options=True),
        "responses": {"200": json_content("The answer.", answer) | {"headers": model}}
        | texts(problem_responses(*OF_BODIES)),
        "x-codeSamples": [
            {"lang": "curl", "source": "curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' URL/v1/predict"},
            {"lang": "curl", "source": "curl -F images=@one.jpg -F images=@two.jpg 'URL/v1/predict?top_k=3'"},
        ],
    }
    explain = {
        "summary": "Show what in an image speaks for its label",
        "description": "A heat map over the image as a PNG, by occlusion (Zeiler and Fergus 2014).",
        "operationId": "explain",
        "requestBody": body_of_images(limits, options=False),
        "responses": {"200": {"description": "The heat map.", "headers": model, "content": {"image/png": {}}}}
        | texts(problem_responses(*OF_BODIES)),
        "x-codeSamples": [{"lang": "curl", "source": "curl -F image=@photo.jpg URL/v1/explain -o heatmap.png"}],
    }
    return {"/v1/predict": {"post": predict}, "/v1/explain": {"post": explain}}


def describe(routes: Sequence[BaseRoute], paths: dict[str, Any], with_keys: bool) -> dict[str, Any]:
    """The document.

    Args:
        routes: of the application.
        paths: path items of those that are plain Starlette.
        with_keys: whether clients need API keys.
    """
    document = get_openapi(title="Darkroom", version="1", description=ABOUT, routes=routes)
    document["paths"] = paths | document["paths"]
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    of_models = [(model, "serialization") for model in (Prediction, ImageError, ProblemDetails)]
    schemas |= models_json_schema(of_models, ref_template="#/components/schemas/{model}")[1]["$defs"]  # type: ignore[arg-type]
    if with_keys:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        document["security"] = [{"bearer": []}, {"header": []}]
    return document


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def body_of_images(limits: Limits, options: bool) -> dict[str, Any]:
    """The body of a request with images; `options` are its parameters as fields."""
    file = {"type": "string", "contentMediaType": "application/octet-stream", "description": "an image file"}
    base64 = {"type": "string", "contentEncoding": "base64", "description": "an image file in base64, or as a data URL"}
    fields: dict[str, Any] = (
        {"top_k": {"type": "integer", "minimum": 1}, "explain": {"type": "boolean"}} if options else {}
    )
    # Many clients write null for what they leave out.
    in_json: dict[str, Any] = {name: {**schema, "type": [schema["type"], "null"]} for name, schema in fields.items()}
    most = limits.images if options else 1
    form = {
        "type": "object",
        "properties": {"image": file, "images": {"type": "array", "items": file, "maxItems": most}, **fields},
    }
    one = {
        "type": "object",
        "properties": {"image": base64, **in_json},
        "required": ["image"],
        "additionalProperties": False,
    }
    many = {
        "type": "object",
        "properties": {"images": {"type": "array", "items": base64, "minItems": 1, "maxItems": most}, **in_json},
        "required": ["images"],
        "additionalProperties": False,
    }
    return {
        "required": True,
        "description": f"Up to {limits.body:,} bytes. JPEG, PNG, WebP, GIF, BMP, TIFF, JPEG 2000, AVIF, HEIC, PPM.",
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {"schema": form},
            "application/json": {"schema": {"oneOf": [one, many]}},
        },
    }


def json_content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A response in JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def texts(responses: dict[int | str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """JSON has no numbers for keys."""
    return {str(status): response for status, response in responses.items()}
