"""API keys: who is let in, with which scope, how often; and pages of other hosts."""

import hashlib
import json
import logging
import stat
import sys
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from darkroom.runtime.errors import DarkroomError
from serving.access import RefuseOtherPages, RequireKey
from serving.keys import SCOPES, Keys, main, new_key, read_keys
from serving.problems import Problem

PATHS = ("/", "/healthz", "/readyz", "/docs", "/page/x.js", "/v1/predict", "/v1/corrections", "/metrics", "/unknown")


def app_with(*middleware: Middleware) -> TestClient:
    async def answer(_: Request) -> Response:
        return PlainTextResponse("answered")

    routes = [Route(path, answer, methods=["GET", "POST"]) for path in PATHS]
    return TestClient(Starlette(routes=routes, middleware=middleware))


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that keys go by, in seconds."""
    seconds = [1000.0]
    monkeypatch.setattr("serving.keys.time.monotonic", lambda: seconds[0])
    return seconds


def test_each_address_needs_its_scope_and_some_need_none(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    made = {scope: new_key(file, scope, [scope], None) for scope in SCOPES}
    client = app_with(Middleware(RequireKey, keys=Keys(file)))
    needs = {"/v1/predict": "predict", "/unknown": "predict", "/v1/corrections": "correct", "/metrics": "metrics"}
    for path in PATHS:
        assert client.get(path).status_code == (401 if path in needs else 200)
        for scope, key in made.items():
            allowed = needs.get(path, scope) == scope
            for header in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
                assert client.get(path, headers=header).status_code == (200 if allowed else 403)


def test_an_address_that_is_open_to_be_read_takes_nothing_without_a_key(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = new_key(file, "one", ["predict"], None)
    client = app_with(Middleware(RequireKey, keys=Keys(file), open_paths=["/unknown"]))
    for path in ("/unknown", "/healthz"):
        assert client.get(path).status_code == client.head(path).status_code == 200
        assert client.post(path).status_code == 401
        assert client.post(path, headers={"X-API-Key": key}).status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer ", "Bearer wrong", "Basic YTpi", "Bearer é", "wrong", "Bearer " + "x" * 10_000]
)
def test_what_is_no_key_is_401(header: str, tmp_path: Path) -> None:
    new_key(tmp_path / "keys.json", "one", ["predict"], None)
    client = app_with(Middleware(RequireKey, keys=Keys(tmp_path / "keys.json")))
    found = client.get("/v1/predict", headers={b"Authorization": header.encode("latin-1")})
    assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    assert found.headers["content-type"] == "application/problem+json"


def test_a_key_has_its_rate(tmp_path: Path, now: list[float]) -> None:
    key = new_key(tmp_path / "keys.json", "slow", ["predict"], 3)
    other = new_key(tmp_path / "keys.json", "other", ["predict"], None)
    client = app_with(Middleware(RequireKey, keys=Keys(tmp_path / "keys.json")))
    header, statuses = {"X-API-Key": key}, []
    for _ in range(5):
        statuses.append(client.get("/v1/predict", headers=header).status_code)
    assert statuses == [200, 200, 200, 429, 429]
    # One comes back every 20 seconds.
    refused = client.get("/v1/predict", headers=header)
    assert refused.headers["retry-after"] == "20"
    assert client.get("/v1/predict", headers={"X-API-Key": other}).status_code == 200
    now[0] += 20
    assert [client.get("/v1/predict", headers=header).status_code for _ in range(2)] == [200, 429]


def test_a_changed_file_counts_at_once_and_a_damaged_one_does_not(
    tmp_path: Path, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.json"
    first = new_key(file, "first", ["predict"], None)
    keys = Keys(file)
    second = new_key(file, "second", ["predict"], None)
    now[0] += 1
    assert keys.require(second, "predict").name == "second"
    good = file.read_text()
    file.write_text(good[:-20])
    now[0] += 1
    with caplog.at_level(logging.ERROR):
        assert keys.require(first, "predict").name == "first"
    assert "keys.json is damaged" in caplog.text
    content = json.loads(good)
    del content["keys"][0]
    file.write_text(json.dumps(content))
    now[0] += 1
    with pytest.raises(Problem, match="unknown"):
        keys.require(first, "predict")
    assert keys.require(second, "predict").name == "second"


def test_the_command_prints_a_key_and_stores_its_hash_for_the_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "keys.json"
    options = ["--file", str(file), "--scopes", "predict", "correct", "--per-minute", "60"]
    monkeypatch.setattr(sys, "argv", ["keys", "new", "phone", *options])
    main()
    key = capsys.readouterr().out.strip()
    assert key not in file.read_text()
    (stored,) = read_keys(file)
    assert stored.sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert (stored.name, stored.scopes, stored.per_minute) == ("phone", ["predict", "correct"], 60)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Keys(file).require(key, "correct").name == "phone"
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "a key phone already" in capsys.readouterr().err
    assert len(read_keys(file)) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "there is no file of API keys"),
        ("", "is damaged"),
        ('{"keys": [{"name": "a", "sha256": "00", "scopes": ["predict"]}]}', "sha256"),
        ('{"keys": [{"name": "a", "sha256": "' + 64 * "0" + '", "scopes": ["all"]}]}', "scopes"),
        ('{"keys": [' + ",".join(['{"name": "a", "sha256": "' + 64 * "0" + '", "scopes": []}'] * 2) + "]}", "twice"),
    ],
)
def test_a_missing_or_damaged_file_stops_the_start(content: str | None, reason: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "keys.json").write_text(content)
    with pytest.raises(DarkroomError, match=reason):
        Keys(tmp_path / "keys.json")


def test_a_page_of_another_host_sends_nothing_unless_named() -> None:
    client = app_with(Middleware(RefuseOtherPages, origins=["https://named.example"]))

    def status(site: str, origin: str) -> int:
        headers = {"Sec-Fetch-Site": site, "Origin": origin}
        return client.post("/v1/corrections", headers=headers).status_code

    assert status("cross-site", "https://other.example") == 403
    assert status("same-site", "http://localhost:9999") == 403
    assert status("cross-site", "https://named.example") == 200
    assert status("same-origin", "http://localhost:8080") == 200
    assert client.post("/v1/corrections").status_code == 200

    # Without TLS, and from another machine, browsers send no Sec-Fetch-Site.
    def without(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post("/v1/corrections", headers=named).status_code

    assert without(Host="10.0.0.5:8080", Origin="http://other.example") == 403
    assert without(Host="10.0.0.5:8080", Origin="http://10.0.0.5:9999") == 403
    assert without(Host="10.0.0.5:8080", Origin="null") == 403
    assert without(Host="10.0.0.5:8080", Origin="https://named.example") == 200
    assert without(Host="10.0.0.5:8080", Origin="http://10.0.0.5:8080") == 200
    assert without(Host="box:80", Origin="http://box") == 200
    assert without(Host="replica:8080", Origin="http://box", X_Forwarded_Host="box") == 200
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
