"""Whether the process is alive, and whether it should get requests: for whoever starts, watches and balances it."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.problems import Problem
from serving.service import Service


def routes(service: Service) -> list[Route]:
    """`/healthz` and `/readyz`; neither predicts nor reads a file.

    Args:
        service: that answers.
    """

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_: Request) -> Response:
        if not service.ready:
            raise Problem(503, "the service is about to end: ask another replica", retry_after=1)
        return JSONResponse({"status": "ready", "model": service.model.hash})

    return [Route("/healthz", alive, methods=["GET"]), Route("/readyz", ready, methods=["GET"])]
