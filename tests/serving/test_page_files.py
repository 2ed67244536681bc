"""The page's files over HTTP: what is sent with them, and that they ask nobody else."""

import re

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from serving.page.routes import STATIC, page_files, routes


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=routes()))


def test_every_file_that_the_page_names_is_there(client: TestClient) -> None:
    page = client.get("/").text
    named = re.findall(r'(?:href|src)="(page/[^"]+)"', page)
    assert sorted(named) == ["page/icon.svg", "page/main.js", "page/page.css", "page/shared.css"]
    for name in named:
        assert client.get(f"/{name}").status_code == 200
    for file in STATIC.glob("*.js"):
        for module in re.findall(r'from "\./([^"]+)"', file.read_text(encoding="utf-8")):
            assert client.get(f"/page/{module}").headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_a_file_is_sent_once(client: TestClient) -> None:
    first = client.get("/")
    assert first.headers["Content-Type"] == "text/html; charset=utf-8"
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": f'"of another", W/{first.headers["ETag"]}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert client.get("/", headers={"If-None-Match": '"of another"'}).content == first.content
    assert client.head("/").status_code == 200
    assert len({file.etag for file in page_files().values()}) == len(page_files())


def test_the_browser_is_asked_to_allow_nothing_else(client: TestClient) -> None:
    headers = client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["img-src"] == "'self' blob:"
    assert "script-src" not in policy and "style-src" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["nothing.js", "..%2froutes.py", "%2e%2e/routes.py"])
def test_only_the_pages_files_are_served(client: TestClient, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_no_file_names_another_host_or_writes_html() -> None:
    for name, file in page_files().items():
        text = file.data.decode()
        addresses = re.findall(r"https?://[^\s\"'<>)]+", text)
        assert [each for each in addresses if each != "http://www.w3.org/2000/svg"] == [], name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text), name
        assert not re.search(r' (style|on\w+)="', text), f"{name}: the policy forbids these attributes"
