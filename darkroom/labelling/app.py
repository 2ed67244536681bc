"""The page of the queue, and what it asks: for this machine alone, and for whoever has the token that the console printed."""

import hmac
import io
import json
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import darkroom.drawing
from darkroom.drawing.pictures import is_small
from darkroom.images.decode import UnreadableImage, decode
from darkroom.labelling.queue import Queue
from darkroom.labels.inbox import InboxFull
from darkroom.model.spec import Preprocessing
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.text import printable

STATIC = Path(__file__).parent / "static"
# The look that all pages of the project share.
SHARED_STYLE = Path(darkroom.drawing.__file__).parent / "templates" / "page.css"
FILES = {
    "/": (STATIC / "queue.html", "text/html"),
    "/page/queue.css": (STATIC / "queue.css", "text/css"),
    "/page/queue.js": (STATIC / "queue.js", "text/javascript"),
    "/page/search.js": (STATIC / "search.js", "text/javascript"),
    "/page/shared.css": (SHARED_STYLE, "text/css"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# Side of the pictures that the page shows, at most.
LONGEST_SIDE = 1024
# Bytes of a body: a name of a class and a hash.
MOST_BYTES = 1 << 14
WHY = {
    "disagreement": "Champion and candidate disagree about it",
    "far": "It is far from the images that the model knows",
    "border": "The model is undecided between two classes",
    "rest": "It has no label yet",
    "random": "It was drawn at random, so that accuracy is estimated without bias",
}
Answer = Callable[[Request], Awaitable[Response]]


def make_app(queue: Queue, classes: tuple[str, ...], preprocessing: Preprocessing, token: str) -> Starlette:
    """The application.

    Args:
        queue: that is asked.
        classes: the class list; an answer is one of them or none.
        preprocessing: of the model, by whose decoder pictures are shown.
        token: without which a request gets no picture and stores nothing.
    """
    lock = threading.Lock()

    def allowed(answer: Callable[[Request, Any], Response]) -> Answer:
        async def checked(request: Request) -> Response:
            if not hmac.compare_digest(request.headers.get("x-token", "").encode(), token.encode()):
                raise HTTPException(403, "open the address that `make label` printed: it ends in a token")
            body = await _body(request)
            try:
                with lock:
                    return answer(request, body)
            except (InboxFull, DarkroomError, UnreadableImage) as error:
                raise HTTPException(507, str(error)) from None
            except OSError as error:
                raise HTTPException(507, f"the inbox or the image: {error.strerror or error}") from None

        return checked

    def state(_: Request, __: Any) -> Response:
        return JSONResponse(_state(queue, classes), headers=HEADERS)

    def picture(request: Request, _: Any) -> Response:
        found = queue.images.get(request.path_params["sha256"])
        if found is None:
            raise HTTPException(404, "the queue has no such image")
        data, kind = _picture(found.scored.image.read(), preprocessing)
        return Response(data, media_type=kind, headers=HEADERS)

    def act(request: Request, body: Any) -> Response:
        action = request.path_params["action"]
        if action in ("label", "skip"):
            asked = queue.current()
            if asked is None or body.get("sha256") != asked.scored.image.sha256:
                raise HTTPException(409, "another image is asked by now: this page shows it after a reload")
        if action == "label":
            label = body.get("label")
            if label is not None and label not in classes:
                raise HTTPException(422, f"there is no class {printable(str(label))[:100]!r}")
            queue.answer(label)
        elif action in ACTIONS:
            ACTIONS[action](queue)
        else:
            raise HTTPException(404, "there is no such action")
        return JSONResponse(_state(queue, classes), headers=HEADERS)

    return Starlette(
        routes=[
            *(Route(path, _file(*found)) for path, found in FILES.items()),
            Route("/queue", allowed(state)),
            Route("/picture/{sha256}", allowed(picture)),
            Route("/queue/{action}", allowed(act), methods=["POST"]),
        ],
        # A page of another host whose name leads here is refused by its name.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        exception_handlers={HTTPException: _refuse},
    )


ACTIONS: dict[str, Callable[[Queue], None]] = {"skip": Queue.skip, "undo": Queue.undo, "again": Queue.ask_skipped}


def _file(path: Path, media_type: str) -> Answer:
    data = path.read_bytes()

    async def answer(_: Request) -> Response:
        return Response(data, media_type=media_type, headers=HEADERS)

    return answer


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=HEADERS)


async def _body(request: Request) -> Any:
    """The JSON object of a request; empty where it has none."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise HTTPException(413, f"a body has {MOST_BYTES:,} bytes at most")
    if not data:
        return {}
    try:
        found = json.loads(data)
    except ValueError:
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "the body is no JSON object")
    return found


def _state(queue: Queue, classes: tuple[str, ...]) -> dict[str, Any]:
    """What the page shows; names are also there with what would rearrange them as escapes."""
    asked = queue.current()
    last = next((each for each in reversed(queue.labels)), None) if queue.given else None
    return {
        "classes": [{"name": name, "shown": printable(name)} for name in classes],
        "reviewer": printable(queue.reviewer),
        "given": queue.given,
        "left": queue.left,
        "skipped": queue.skipped,
        "can_undo": queue.can_undo,
        "last": last
        and {
            "label": printable(last.label) if last.label else None,
            "predicted": printable(last.predicted),
            "correct": last.correct,
        },
        "asked": asked
        and {
            "sha256": asked.scored.image.sha256,
            "why": WHY[asked.kind],
            "text": printable(asked.scored.image.text),
        },
    }


def _picture(data: bytes, preprocessing: Preprocessing) -> tuple[bytes, str]:
    """A picture that every browser shows, of any format that `ingest` takes, and its media type."""
    pixels = decode(data, preprocessing.decoder, least_side=LONGEST_SIDE, grey=False, depth=preprocessing.depth).pixels
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()
    if is_small(pixels):
        picture.save(buffer, "PNG")
        return buffer.getvalue(), "image/png"
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue(), "image/jpeg"
