"""`/openapi.json`, and `/docs`: the same as a page that asks no other host, and runs no script."""

from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

METHODS = ("get", "post")
# The look of all pages, which the page at / has in its folder.
STYLE = "/page/shared.css"
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"}


def routes(document: dict[str, Any]) -> list[Route]:
    """`/docs` and `/openapi.json`.

    Args:
        document: of OpenAPI.
    """

    async def docs(request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        return HTMLResponse(docs_page(document, base, request.scope.get("root_path", "")), headers=HEADERS)

    async def openapi(_: Request) -> Response:
        return JSONResponse(document)

    return [Route("/docs", docs, methods=["GET"]), Route("/openapi.json", openapi, methods=["GET"])]


def docs_page(document: dict[str, Any], base: str, root_path: str = "") -> str:
    """The page.

    Args:
        document: of OpenAPI.
        base: address of the service, as the client knows it, for commands to copy.
        root_path: before every path, where a proxy puts the service below one.
    """
    about = document["info"]
    operations = [
        _operation(method, path, item[method], base)
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(about["title"])}: the API</title>
<link rel="stylesheet" href="{escape(root_path)}{STYLE}">
<main class="column">
<h1>{escape(about["title"])}: the API</h1>
<p>{_prose(about["description"])}</p>
<p>For programs: <a href="{escape(root_path)}/openapi.json">openapi.json</a> (OpenAPI {escape(document["openapi"])}).
For people: <a href="{escape(root_path)}/">the page</a>.</p>
{"".join(operations)}
</main>
</html>
"""


def _operation(method: str, path: str, operation: dict[str, Any], base: str) -> str:
    parts = [
        f"<section>\n<h2 id='{escape(operation.get('operationId', path))}'><code>{method.upper()} {escape(path)}</code></h2>\n",
        f"<p>{_prose(operation.get('summary', ''))}. {_prose(operation.get('description', ''))}</p>\n",
    ]
    for sample in operation.get("x-codeSamples", []):
        parts.append(f"<pre><code>{escape(sample['source'].replace('URL', base))}</code></pre>\n")
    parameters = [(f"?{each['name']}=", each["description"]) for each in operation.get("parameters", [])]
    parts.append(_list("Parameters", parameters))
    if body := operation.get("requestBody"):
        parts.append(f"<h3>Body</h3>\n<p>{', '.join(f'<code>{escape(kind)}</code>' for kind in body['content'])}.\n")
        parts.append(f"{_prose(body.get('description', ''))}</p>\n")
    parts.append(_list("Answers", [(status, each["description"]) for status, each in operation["responses"].items()]))
    return "".join(parts) + "</section>\n"


def _list(head: str, rows: list[tuple[str, str]]) -> str:
    items = "".join(f"<li><code>{escape(name)}</code> {_prose(text)}\n" for name, text in rows)
    return f"<h3>{head}</h3>\n<ul>\n{items}</ul>\n" if rows else ""


def _prose(text: str) -> str:
    """Escaped; what stands between backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))
