"""What Amazon SageMaker asks of a container: `serve` as its argument, `GET /ping`, `POST /invocations`.

docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.bodies import read_question
from serving.limits import Limits
from serving.problems import Problem
from serving.service import Service
from serving.v1 import answer_question, unless_client_left

# Where SageMaker unpacks the model, and the port that it asks.
MODEL, PORT = "/opt/ml/model", "8080"
JSON, LINES = "application/json", "application/jsonlines"


def container_arguments(arguments: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The arguments of the command where SageMaker starts the container with `serve`; all others stay as they are."""
    if arguments[:1] != ["serve"]:
        return list(arguments)
    port = environment.get("SAGEMAKER_BIND_TO_PORT") or PORT
    return [MODEL, "--host", "0.0.0.0", "--port", port, *arguments[1:]]


def routes(service: Service, limits: Limits) -> list[Route]:
    """`/ping` and `/invocations`, which takes what `/v1/predict` takes, and `application/x-image`.

    Args:
        service: that answers.
        limits: of a request.
    """

    async def ping(_: Request) -> Response:
        return Response(status_code=200 if service.ready else 503)

    async def invocations(request: Request) -> Response:
        form = _accepted(request.headers.get("accept", ""))
        question = await read_question(request, limits)
        found = await unless_client_left(request, service.predict(question.uploads, question.explain))
        return answer_question(service, question, found, lines=form == LINES)

    return [Route("/ping", ping, methods=["GET"]), Route("/invocations", invocations, methods=["POST"])]


def _accepted(accept: str) -> str:
    """The form of the answer that a client asks for.

    Raises:
        Problem: 406 where it is none of those here.
    """
    kinds = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    if LINES in kinds and JSON not in kinds:
        return LINES
    if {"", "*/*", "application/*", JSON} & set(kinds):
        return JSON
    raise Problem(406, f"the answer can't be {accept[:80]!r}: accept {JSON} or {LINES}")
