"""The straight way to an address answers as the router does, and takes nothing else."""

import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from serving.direct import Direct, posted
from serving.problems import Problem, handle_problems


async def first(request: Request) -> Response:
    return PlainTextResponse(
        f"first {request.method} {(await request.body()).decode()} {request.query_params.get('a')}"
    )


async def other(_: Request) -> Response:
    return PlainTextResponse("other")


async def problem(_: Request) -> Response:
    raise Problem(422, "no image")


async def named(request: Request) -> Response:
    return PlainTextResponse(request.path_params["name"])


async def of_fastapi() -> str:
    return ""


ROUTES = [
    Route("/a", first, methods=["POST"]),
    Route("/a", other, methods=["GET", "POST"]),
    Route("/problem", problem, methods=["POST"]),
    Route("/of/{name}", named, methods=["POST"]),
    APIRoute("/fastapi", of_fastapi, methods=["POST"]),
]


def test_plain_routes_without_parameters_are_taken_and_the_first_counts() -> None:
    assert posted(ROUTES) == {"/a": first, "/problem": problem}


@pytest.mark.parametrize("path", ["/a", "/a?a=1", "/problem", "/of/x", "/of/{name}", "/none"])
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_every_answer_is_the_one_of_the_router(method: str, path: str) -> None:
    def app(middleware: list[Middleware]) -> TestClient:
        found = Starlette(routes=ROUTES[:4], middleware=middleware)
        handle_problems(found)
        return TestClient(found)

    clients = [app([]), app([Middleware(Direct, endpoints=posted(ROUTES))])]
    one, two = [client.request(method, path, content=b"body") for client in clients]
    assert (one.status_code, one.content, one.headers) == (two.status_code, two.content, two.headers)
