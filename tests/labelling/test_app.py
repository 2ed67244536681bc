"""What the page asks of the queue: answered to whoever has the token, on this machine."""

import io
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from darkroom.labelling.app import make_app
from darkroom.labelling.queue import Queue
from darkroom.labels.inbox import read_inbox
from darkroom.runtime.paths import INBOX
from tests.support.label_queue import open_tiny_queue, png, store_samples

TOKEN = {"X-Token": "secret"}


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    store_samples(tmp_path, [png(seed) for seed in range(4)])
    return open_tiny_queue(tmp_path, ("cat", "dog", "a\u202eb"))[0]


@pytest.fixture
def client(queue: Queue, tmp_path: Path) -> TestClient:
    _, bundle = open_tiny_queue(tmp_path)
    app = make_app(queue, bundle.classes.names, bundle.preprocessing, "secret")
    return TestClient(app, base_url="http://127.0.0.1:8120", raise_server_exceptions=False)


def test_nothing_is_answered_without_the_token_or_by_another_name(client: TestClient, queue: Queue) -> None:
    sha256 = next(iter(queue.images))
    for headers in ({}, {"X-Token": ""}, {"X-Token": "secreT"}):
        assert client.get("/queue", headers=headers).status_code == 403
        assert client.get(f"/picture/{sha256}", headers=headers).status_code == 403
        assert client.post("/queue/skip", json={"sha256": sha256}, headers=headers).status_code == 403
    assert queue.skipped == 0
    # A host name of another page that leads to this machine.
    assert client.get("/queue", headers=TOKEN | {"Host": "evil.example"}).status_code == 400
    assert client.get("/").status_code == 200, "the page itself holds nothing"


def test_the_model_is_quoted_after_the_answer_alone(client: TestClient, queue: Queue, tmp_path: Path) -> None:
    before = client.get("/queue", headers=TOKEN).json()
    assert before["given"] == 0 and before["left"] == 4 and before["last"] is None
    assert set(before["asked"]) == {"sha256", "why", "text"} and before["asked"]["text"].endswith("2026-11-28")
    assert [each["shown"] for each in before["classes"]] == ["cat", "dog", "a\\u202eb"]
    body = {"sha256": before["asked"]["sha256"], "label": "a\u202eb"}
    after = client.post("/queue/label", json=body, headers=TOKEN).json()
    assert after["given"] == 1 and after["last"]["label"] == "a\\u202eb"
    assert after["last"]["correct"] == (after["last"]["predicted"] == after["last"]["label"])
    assert [each.label for each in read_inbox(tmp_path / INBOX).values()] == ["a\u202eb"]
    # The same answer again, from a second window, is about another image.
    assert client.post("/queue/label", json=body, headers=TOKEN).status_code == 409
    assert client.post("/queue/undo", json={}, headers=TOKEN).json()["asked"] == before["asked"]


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("/queue/label", '{"label": "horse"}', 422, "there is no class 'horse'"),
        ("/queue/label", '{"sha256": "0", "label": "cat"}', 409, "another image is asked by now"),
        ("/queue/other", "{}", 404, "there is no such action"),
        ("/queue/skip", "[]", 400, "the body is no JSON object"),
        ("/queue/skip", "{", 400, "the body is no JSON"),
        ("/queue/skip", " " * 20_000, 413, "a body has 16,384 bytes at most"),
    ],
)
def test_what_is_wrong_is_refused(
    client: TestClient, queue: Queue, path: str, body: str, status: int, detail: str
) -> None:
    current = queue.current()
    assert current
    if body.startswith('{"label"'):
        body = f'{{"sha256": "{current.scored.image.sha256}", {body[1:]}'
    answer = client.post(path, content=body, headers=TOKEN)
    assert (answer.status_code, answer.json()["detail"][: len(detail)]) == (status, detail)
    assert queue.given == queue.skipped == 0


def test_pictures_are_of_a_form_that_browsers_show(client: TestClient, queue: Queue, tmp_path: Path) -> None:
    for sha256, question in queue.images.items():
        answer = client.get(f"/picture/{sha256}", headers=TOKEN)
        assert answer.headers["content-type"] == "image/png"
        shown, stored = Image.open(io.BytesIO(answer.content)), Image.open(io.BytesIO(question.scored.image.read()))
        assert shown.tobytes() == stored.tobytes()
    assert client.get(f"/picture/{'0' * 64}", headers=TOKEN).status_code == 404


def test_an_image_that_is_gone_can_be_skipped(client: TestClient, queue: Queue, tmp_path: Path) -> None:
    asked = client.get("/queue", headers=TOKEN).json()["asked"]
    next(tmp_path.rglob(f"{asked['sha256']}.png")).unlink()
    assert client.get(f"/picture/{asked['sha256']}", headers=TOKEN).status_code == 507
    answer = client.post("/queue/label", json={"sha256": asked["sha256"], "label": "cat"}, headers=TOKEN)
    assert answer.status_code == 507 and "No such file" in answer.json()["detail"]
    assert client.post("/queue/skip", json={"sha256": asked["sha256"]}, headers=TOKEN).status_code == 200
    assert (queue.given, queue.skipped) == (0, 1)
