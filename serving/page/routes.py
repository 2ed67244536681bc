"""The page's files as routes, each held in memory with its hash."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import darkroom.drawing

STATIC = Path(__file__).parent / "static"
# The look that all pages of the project share.
SHARED_STYLE = Path(darkroom.drawing.__file__).parent / "templates" / "page.css"
MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

HEADERS = {
    # Pictures that were dropped, and heat maps, are blobs of the page itself.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    # Asked each time, and answered with 304: a new version of the service never meets modules of the old one.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class PageFile:
    """A file of the page.

    Attributes:
        data: its bytes.
        media_type: as the header `Content-Type` has it.
        etag: of its bytes, as the header `ETag` has it.
    """

    data: bytes
    media_type: str
    etag: str


def page_files() -> dict[str, PageFile]:
    """The files of the page by name: `index.html`, `shared.css`, and the others as they are in `static/`."""
    paths = {path.name: path for path in sorted(STATIC.iterdir())} | {"shared.css": SHARED_STYLE}
    return {name: _read(path) for name, path in paths.items()}


def routes() -> list[Route]:
    """`/` is the page, and `/page/NAME` its other files."""
    files = page_files()

    async def index(request: Request) -> Response:
        return _answer(request, files["index.html"])

    async def part(request: Request) -> Response:
        found = files.get(request.path_params["name"])
        if not found:
            raise HTTPException(404)
        return _answer(request, found)

    return [
        Route("/", index, include_in_schema=False),
        Route("/page/{name}", part, include_in_schema=False),
    ]


def _read(path: Path) -> PageFile:
    data = path.read_bytes()
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    return PageFile(data, f"{MEDIA_TYPES[path.suffix]}; charset=utf-8", etag)


def _answer(request: Request, file: PageFile) -> Response:
    headers = HEADERS | {"ETag": file.etag}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    if file.etag in known:
        return Response(status_code=304, headers=headers)
    return Response(file.data, headers=headers, media_type=file.media_type)
