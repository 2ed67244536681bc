"""Who may ask: the key of a request, and pages of other hosts."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from serving.keys import Keys, Scope
from serving.problems import Problem, problem_response

# For whoever watches and balances the service, and for people before they have typed their key.
OPEN = frozenset({"/", "/healthz", "/readyz", "/ping", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready"})
OPEN_FOLDER = "/page/"
# All others need `predict`, also those that do not exist.
OTHER_SCOPES: dict[str, Scope] = {"/metrics": "metrics", "/v1/corrections": "correct"}

DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


class RequireKey:
    """Middleware: a request without a key that has the scope of its address is refused before its body is read.

    Args:
        app: that is asked.
        keys: of a file.
        open_paths: addresses beside `OPEN` that need none, such as the one where a cloud asks whether the service is alive.
    """

    def __init__(self, app: ASGIApp, keys: Keys, open_paths: Collection[str] = ()) -> None:
        self.app, self.keys = app, keys
        self.open = OPEN | set(open_paths)

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        # To be read alone: Vertex AI may ask for its health and for predictions at one address.
        if scope["method"] in ("GET", "HEAD") and (path in self.open or path.startswith(OPEN_FOLDER)):
            return await self.app(scope, receive, send)
        try:
            self.keys.require(_given(scope["headers"]), OTHER_SCOPES.get(path, "predict"))
        except Problem as problem:
            return await problem_response(problem)(scope, receive, send)
        await self.app(scope, receive, send)


class RefuseOtherPages:
    """Middleware: what a page of another host sends is refused, unless that host was named.

    A browser sends a form to any address, without asking first, and sends no page the answer; a correction would have arrived.
    It says in `Sec-Fetch-Site` where the page is from, which no page can change; to a service of another machine without TLS
    it says that only in `Origin`, which is then held against the host that it asks. Other clients send neither.

    Args:
        app: that is asked.
        origins: of pages that may ask, as CORS has them.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self.app, self.origins = app, {origin.encode() for origin in origins}

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            headers = dict(scope["headers"])
            origin = headers.get(b"origin", b"")
            if not _same_page(headers, origin) and not {origin, b"*"} & self.origins:
                refused = Problem(
                    403,
                    f"a page of {origin.decode('latin-1')!a} may not ask: name it in --cors-origins, if it should",
                )
                return await problem_response(refused)(scope, receive, send)
        await self.app(scope, receive, send)


def _same_page(headers: dict[bytes, bytes], origin: bytes) -> bool:
    """Whether a request is from a page of this service, or from no page."""
    if site := headers.get(b"sec-fetch-site"):
        return site in (b"none", b"same-origin")
    # A proxy may ask by another name; it says in the second which one it was asked by.
    hosts = {headers.get(name, b"").lower() for name in (b"host", b"x-forwarded-host")}
    scheme, _, named = origin.partition(b"://")
    return not origin or (named != b"" and not hosts.isdisjoint((named, named + DEFAULT_PORTS.get(scheme, b""))))


def _given(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The key in the headers; the first one where there are several."""
    for name, value in headers:
        if name == b"x-api-key":
            return value.decode("latin-1").strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].decode("latin-1").strip()
    return None
