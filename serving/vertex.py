"""What Vertex AI asks of a container: its health and predictions at the addresses that it gives in variables.

cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable
from serving.bodies import Question, from_base64, read_json, read_options
from serving.limits import Limits
from serving.problems import Problem
from serving.service import Service, Upload
from serving.v1 import answer_json, json_response, refuse_all_busy, unless_client_left

HEALTH, PREDICT = "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE"


def routes(service: Service, limits: Limits, environment: Mapping[str, str]) -> list[Route]:
    """The two addresses; none where the variables are not set.

    Args:
        service: that answers.
        limits: of a request.
        environment: with AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE.

    Raises:
        DarkroomError: when a variable is no address.
    """

    async def health(_: Request) -> Response:
        return Response(status_code=200 if service.ready else 503)

    async def predict(request: Request) -> Response:
        question = _question(read_json(await request.body()), limits)
        found = await unless_client_left(request, service.predict(question.uploads, question.explain))
        refuse_all_busy(service, found)
        return json_response({"predictions": [answer_json(each, question.top_k) for each in found]})

    found = []
    if path := _path(environment, HEALTH):
        found.append(Route(path, health, methods=["GET"]))
    if path := _path(environment, PREDICT):
        found.append(Route(path, predict, methods=["POST"]))
    return found


def _path(environment: Mapping[str, str], variable: str) -> str:
    path = environment.get(variable, "")
    if path and (not path.startswith("/") or set("{}?#") & set(path)):
        raise DarkroomError(f"{variable} is {printable(path)!r}, should be a path that begins with /")
    return path


def _question(content: dict[str, Any], limits: Limits) -> Question:
    """The images of a body: `{"instances": [{"b64": …}], "parameters": {"top_k": 3}}`."""
    instances, parameters = content.get("instances"), content.get("parameters") or {}
    if not isinstance(instances, list) or not instances:
        raise Problem(400, 'the JSON body has no instances: send {"instances": [{"b64": "<base64>"}, …]}')
    if len(instances) > limits.images:
        raise Problem(413, f"{len(instances):,} instances in a request, and {limits.images} is the limit")
    if not isinstance(parameters, dict):
        raise Problem(400, 'parameters is no object: send {"top_k": 3}, or leave it out')
    uploads = [Upload("", from_base64(_base64_of(each), f"instances[{at}]")) for at, each in enumerate(instances)]
    top_k, explain = read_options(parameters)
    return Question(uploads, True, top_k, explain)


def _base64_of(instance: object) -> object:
    """What is in an instance: the text itself, `{"b64": …}`, or either below one key, such as `image`."""
    for _ in range(2):
        if isinstance(instance, dict) and len(instance) == 1:
            (instance,) = instance.values()
    return instance
