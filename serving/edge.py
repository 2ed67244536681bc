"""What every request passes first and every answer last: its id, headers that browsers obey, and the one place that catches
everything."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import Problem, problem_response
from serving.request_id import (
    HEADER,
    SESSION_HEADER,
    accept_request_id,
    accept_session,
    request_id,
    session,
)

# Unless a route has its own: an answer runs nothing, is shown in no other page, and is stored nowhere.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
log = logging.getLogger("serving")


class Edge:
    """Middleware, the outermost: `request_id` is set below it.

    Args:
        app: that is asked.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        # The first of each name.
        given = {name: value for name, value in reversed(scope["headers"]) if name in (HEADER, SESSION_HEADER)}
        current = accept_request_id(given.get(HEADER))
        request_id.set(current)
        session.set(accept_session(given.get(SESSION_HEADER)))
        started = False

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                own = {name for name, _ in message["headers"]}
                headers = [each for each in message["headers"] if each[0] != HEADER]
                headers += [each for each in RAW_HEADERS if each[0] not in own]
                message = {**message, "headers": [*headers, (HEADER, current.encode())]}
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except ClientDisconnect:
            # Nobody is left to answer.
            return
        except Exception:
            log.exception("request %s: %s %s failed", current, scope["method"], ascii(scope["path"]))
            if started:
                raise
            sorry = problem_response(
                Problem(500, "the service failed over this request, and its log has the reason under this request id")
            )
            await sorry(scope, receive, send_on)
