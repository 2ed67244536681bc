"""Errors as `application/problem+json` (RFC 9457): what is wrong, where, and what to do; never a trace of the stack."""

import json
import math
from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.request_id import request_id

MEDIA_TYPE = "application/problem+json"
# Not in every Python's `HTTPStatus` by these names.
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


class Problem(Exception):
    """What a client is told in place of an answer.

    Attributes:
        status: of HTTP.
        detail: one sentence for people: what was found, what should be there, and the remedy.
        retry_after: seconds after which another attempt is worthwhile; None where only another request helps.
        headers: of the answer.
    """

    def __init__(
        self, status: int, detail: str, retry_after: float | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after
        self.headers = headers or {}


def problem_response(problem: Problem) -> Response:
    """The answer for a problem: `title`, `status`, `detail`, `request_id`; with `Retry-After` in whole seconds."""
    content = {
        "title": TITLES.get(problem.status) or HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id.get(),
    }
    headers = dict(problem.headers)
    if problem.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    # Half characters of a client's text have no UTF-8: they stay escaped.
    return Response(json.dumps(content), problem.status, headers, MEDIA_TYPE)


def handle_problems(app: Starlette) -> None:
    """Give every error of the application's routes, its router and its validation the one form."""

    async def from_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem_response(error)

    async def from_router(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem_response(_router_problem(request, error))

    async def from_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        return problem_response(Problem(400, "; ".join(found)))

    app.add_exception_handler(Problem, from_problem)
    app.add_exception_handler(HTTPException, from_router)
    app.add_exception_handler(RequestValidationError, from_validation)


def _router_problem(request: Request, error: HTTPException) -> Problem:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return Problem(404, f"there is no address {request.url.path}: /docs lists all", headers=headers)
    if error.status_code == 405:
        allowed = headers.get("Allow", "another method")
        return Problem(405, f"{request.url.path} takes {allowed}, not {request.method}", headers=headers)
    return Problem(error.status_code, error.detail, headers=headers)
