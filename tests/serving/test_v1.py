"""The addresses under /v1: the three forms of a request give one answer, that of `darkroom.predict --json`."""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.testclient import TestClient
from starlette.types import Message

from darkroom.bundle.bundle import load_bundle
from darkroom.predict.answers import Prediction, predict_files
from darkroom.predict.output import prediction_json
from serving import v1
from serving.app import make_app
from serving.service import Service
from tests.support.loops import run

PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def service(shipped: Path) -> Iterator[Service]:
    made = Service(shipped / "models/export", threads=2, batch=8)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    return TestClient(make_app(service), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def images(shipped: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((shipped / "images").rglob("*.png"))[::20]]


@pytest.fixture(scope="module")
def expected(shipped: Path) -> list[dict[str, object]]:
    """As the command gives it, but for the path."""
    paths = sorted((shipped / "images").rglob("*.png"))[::20]
    found = predict_files(load_bundle(shipped / "models/export"), paths)
    return [prediction_json(each, None, None) for each in found if isinstance(each, Prediction)]


def test_all_three_forms_give_the_answer_of_the_command(
    client: TestClient, images: list[bytes], expected: list[dict[str, object]]
) -> None:
    for number, (data, answer) in enumerate(zip(images, expected, strict=True)):
        raw = client.post("/v1/predict", content=data, headers=PNG).json()
        octets = client.post("/v1/predict", content=data, headers={"Content-Type": "application/octet-stream"}).json()
        form = client.post("/v1/predict", files={"image": (f"{number}.png", data)}).json()
        encoded = client.post("/v1/predict", json={"image": base64.b64encode(data).decode()}).json()
        assert raw == octets == encoded == form | {"path": ""} == answer | {"path": ""}
        assert form["path"] == f"{number}.png"


def test_several_images_are_answered_by_a_list_in_order(
    client: TestClient, images: list[bytes], expected: list[dict[str, object]]
) -> None:
    form = client.post("/v1/predict", files=[("any", (f"{n}.png", data)) for n, data in enumerate(images)]).json()
    assert form == [answer | {"path": f"{n}.png"} for n, answer in enumerate(expected)]
    wrapped = [base64.encodebytes(data).decode() for data in images]
    wrapped[0] = "data:image/png;base64," + wrapped[0]
    answers = client.post("/v1/predict", json={"images": wrapped}).json()
    assert answers == [answer | {"path": ""} for answer in expected]
    # Also where there is one: the names `images` asks for a list, `image` for an object.
    assert client.post("/v1/predict", json={"images": wrapped[:1]}).json() == answers[:1]
    assert client.post("/v1/predict", files={"images": ("0.png", images[0])}).json() == form[:1]


def test_an_unreadable_image_of_several_has_an_error_and_alone_it_is_422(
    client: TestClient, images: list[bytes]
) -> None:
    good, cut = images[0], images[0][:60]
    answer = client.post("/v1/predict", files=[("a", ("good", good)), ("a", ("cut", cut)), ("a", ("none", b""))])
    assert answer.status_code == 200
    first, second, third = answer.json()
    assert first["label"]
    assert (second["path"], second["status"]) == ("cut", 422)
    assert second["error"].startswith("damaged: ")
    assert third == {"path": "none", "error": "the file is empty", "status": 422}
    alone = client.post("/v1/predict", content=cut, headers=PNG)
    assert (alone.status_code, alone.headers["content-type"]) == (422, "application/problem+json")
    assert alone.json()["detail"] == second["error"]


@pytest.mark.parametrize("form", ["query", "fields", "json"])
def test_top_k_gives_the_most_probable_classes(
    form: str, client: TestClient, images: list[bytes], expected: list[dict[str, object]]
) -> None:
    if form == "query":
        found = client.post("/v1/predict?top_k=2", content=images[0], headers=PNG)
    elif form == "fields":
        found = client.post("/v1/predict", files={"image": images[0]}, data={"top_k": "2"})
    else:
        found = client.post("/v1/predict", json={"image": base64.b64encode(images[0]).decode(), "top_k": 2})
    probabilities = expected[0]["probabilities"]
    assert isinstance(probabilities, dict)
    assert list(found.json()["probabilities"].items()) == sorted(probabilities.items(), key=lambda each: -each[1])[:2]


def test_the_model_says_what_it_is(client: TestClient, service: Service, shipped: Path) -> None:
    about = client.get("/v1/model").json()
    spec = json.loads((shipped / "models/export/model.json").read_text())
    for key in ("classes", "class_hash", "network", "preprocessing", "data_version", "code_version"):
        assert about[key] == spec[key]
    calibration = json.loads((shipped / "models/export/calibration.json").read_text())
    assert about["threshold"] == calibration["threshold"]
    assert about["hash"] == service.model.hash
    assert datetime.fromisoformat(about["since"]) == service.model.since


@pytest.mark.parametrize("leaves", [True, False])
def test_work_ends_when_the_client_leaves_and_a_cancellation_stays_one(
    leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v1, "PATIENCE", 0.0)
    ended: list[str] = []

    async def receive() -> Message:
        if not leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    async def ask() -> None:
        asking = asyncio.ensure_future(v1.unless_client_left(Request({"type": "http"}, receive), work()))
        await asyncio.sleep(0.01)
        if not leaves:
            asking.cancel()
        await asking

    with pytest.raises(ClientDisconnect if leaves else asyncio.CancelledError):
        run(ask())
    assert ended == ["work"]
