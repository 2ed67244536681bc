"""Whether the process is alive, and whether it should get requests: for whoever starts, watches and balances it."""

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.openapi import problem_responses
from serving.problems import Problem
from serving.service import Service


def routes(service: Service) -> list[Route]:
    """`/healthz` and `/readyz`; neither predicts nor reads a file.

    Args:
        service: that answers.
    """

    async def alive() -> dict[str, str]:
        return {"status": "alive"}

    async def ready() -> dict[str, str]:
        if not service.ready:
            raise Problem(503, "the service is about to end: ask another replica", retry_after=1)
        return {"status": "ready", "model": service.model.hash}

    async def head_alive(_: Request) -> Response:
        return Response(media_type="application/json")

    async def head_ready(_: Request) -> Response:
        await ready()
        return Response(media_type="application/json")

    return [
        APIRoute("/healthz", alive, methods=["GET"], summary="Whether the process is alive", operation_id="healthz"),
        APIRoute(
            "/readyz",
            ready,
            methods=["GET"],
            summary="Whether it should get requests",
            operation_id="readyz",
            responses=problem_responses(503),
        ),
        # FastAPI's own routes take GET alone.
        Route("/healthz", head_alive, methods=["HEAD"], include_in_schema=False),
        Route("/readyz", head_ready, methods=["HEAD"], include_in_schema=False),
    ]
