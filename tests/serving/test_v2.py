"""The Open Inference Protocol: numbers and files, in JSON and as binary data, give the answers of the command."""

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from darkroom.bundle.bundle import load_bundle
from darkroom.predict.answers import Prediction
from darkroom.runtime.arrays import UInt8s
from serving.app import make_app
from serving.service import Refused, Service
from tests.support.served import as_the_command, cut_picture, make_pictures
from tests.support.tiny_bundle import make_bundle

INFER = "/v2/models/darkroom/infer"
HEADER = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("v2") / "bundle", threshold=0.7)


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    made = Service(folder, threads=1, batch=4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(service: Service) -> TestClient:
    return TestClient(make_app(service), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_pictures(tmp_path_factory.mktemp("v2") / "pictures")


@pytest.fixture(scope="module")
def expected(folder: Path, paths: list[Path]) -> list[Prediction]:
    return as_the_command(folder, paths)


@pytest.fixture(scope="module")
def pixels(folder: Path, paths: list[Path]) -> UInt8s:
    bundle = load_bundle(folder)
    return np.stack([bundle.pixels(path.read_bytes()) for path in paths])


def tensor(kind: str, shape: list[int], data: object) -> dict[str, Any]:
    return {"inputs": [{"name": "images", "datatype": kind, "shape": shape, "data": data}]}


def check(outputs: list[dict[str, Any]], expected: list[Prediction]) -> None:
    """Outputs in JSON are the predictions of the command."""
    by_name = {each["name"]: each for each in outputs}
    kinds = {name: (each["datatype"], each["shape"]) for name, each in by_name.items()}
    n = len(expected)
    assert kinds == {"probabilities": ("FP32", [n, 3]), "label": ("BYTES", [n]), "abstains": ("BOOL", [n])}
    assert by_name["label"]["data"] == [each.label for each in expected]
    assert by_name["abstains"]["data"] == [each.abstains for each in expected]
    given = np.array(by_name["probabilities"]["data"]).reshape(-1, 3)
    np.testing.assert_allclose(given, [list(each.probabilities.values()) for each in expected], atol=1e-6)


def test_pixels_and_files_in_json_give_the_answers_of_the_command(
    client: TestClient, paths: list[Path], pixels: UInt8s, expected: list[Prediction]
) -> None:
    files = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    count = len(paths)
    bodies = [
        tensor("UINT8", [count, 8, 8, 1], pixels.tolist()),
        tensor("UINT8", [count, 8, 8, 1], pixels.ravel().tolist()),
        tensor("BYTES", [count], files),
        tensor("BYTES", [count, 1], [[each] for each in files]),
    ]
    for body in bodies:
        answer = client.post(INFER, json=body | {"id": "42"})
        assert answer.status_code == 200
        content = answer.json()
        assert (content["model_name"], content["id"]) == ("darkroom", "42")
        check(content["outputs"], expected)
    assert "id" not in client.post(INFER, json=bodies[0]).json()
    assert {each.abstains for each in expected} == {True, False}


def binary_request(kind: str, shape: list[int], data: bytes, **more: object) -> tuple[bytes, int]:
    """The body, and the length of the JSON in it."""
    parameters = {"binary_data_size": len(data)}
    head = {"inputs": [{"name": "images", "datatype": kind, "shape": shape, "parameters": parameters}]}
    text = json.dumps(head | more).encode()
    return text + data, len(text)


def ask(client: TestClient, request: tuple[bytes, int]) -> Response:
    return client.post(INFER, content=request[0], headers={HEADER: str(request[1])})


def test_binary_data_goes_both_ways(
    client: TestClient, paths: list[Path], pixels: UInt8s, expected: list[Prediction]
) -> None:
    data = [path.read_bytes() for path in paths]
    files = b"".join(struct.pack("<I", len(each)) + each for each in data)
    for kind, shape, raw in (("BYTES", [len(paths)], files), ("UINT8", list(pixels.shape), pixels.tobytes())):
        check(ask(client, binary_request(kind, shape, raw)).json()["outputs"], expected)
        outputs = [
            {"name": "label", "parameters": {"binary_data": False}},
            {"name": "abstains"},
            {"name": "probabilities"},
        ]
        answer = ask(client, binary_request(kind, shape, raw, outputs=outputs, parameters={"binary_data_output": True}))
        assert answer.headers["content-type"] == "application/octet-stream"
        length = int(answer.headers[HEADER])
        label, abstains, probabilities = json.loads(answer.content[:length])["outputs"]
        assert label["data"] == [each.label for each in expected]
        rest = answer.content[length:]
        sizes = [each["parameters"]["binary_data_size"] for each in (abstains, probabilities)]
        assert sizes == [len(expected), len(expected) * 12] and sum(sizes) == len(rest)
        assert list(rest[: sizes[0]]) == [each.abstains for each in expected]
        numbers = np.frombuffer(rest[sizes[0] :], "<f4").reshape(-1, 3)
        np.testing.assert_allclose(numbers, [list(each.probabilities.values()) for each in expected], atol=1e-6)
        labels = ask(
            client, binary_request(kind, shape, raw, outputs=[{"name": "label", "parameters": {"binary_data": True}}])
        )
        assert labels.content.endswith(
            b"".join(struct.pack("<I", len(t)) + t for t in (e.label.encode() for e in expected))
        )


def test_it_says_what_it_is(client: TestClient, service: Service) -> None:
    version = service.model.hash[:12]
    assert client.get("/v2").json() == {"name": "darkroom", "version": "2", "extensions": ["binary_tensor_data"]}
    assert client.get("/v2/health/live").status_code == client.get("/v2/health/ready").status_code == 200
    for path in ("/v2/models/darkroom", f"/v2/models/darkroom/versions/{version}"):
        assert client.get(path).json() == {
            "name": "darkroom",
            "versions": [version],
            "platform": "onnxruntime_onnx",
            "inputs": [{"name": "images", "datatype": "UINT8", "shape": [-1, 8, 8, 1]}],
            "outputs": [
                {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]},
                {"name": "label", "datatype": "BYTES", "shape": [-1]},
                {"name": "abstains", "datatype": "BOOL", "shape": [-1]},
            ],
        }
        assert client.get(f"{path}/ready").json() == {"name": "darkroom", "ready": True}


def test_it_is_not_ready_while_it_drains(client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "draining", True)
    assert client.get("/v2/health/ready").status_code == client.get("/v2/models/darkroom/ready").status_code == 503
    assert client.get("/v2/health/live").status_code == 200


ONE = [1, 8, 8, 1]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 400, "inputs should be a list of one tensor, named 'images'"),
        ({"inputs": [3]}, 400, "inputs should be a list of one tensor"),
        ({"inputs": [{"name": "input0"}]}, 400, "there is no input 'input0': the one here is 'images'"),
        (tensor("UINT8", [1, 9, 8, 1], []), 400, r"the shape of UINT8 is [1, 9, 8, 1], should be [N, 8, 8, 1]"),
        (tensor("UINT8", [0, 8, 8, 1], []), 400, "should be a list of whole numbers from 1"),
        (tensor("UINT8", [True, 8, 8, 1], []), 400, "should be a list of whole numbers from 1"),
        (tensor("UINT8", [10**30, 8, 8, 1], []), 413, "images in a request, and 64 is the limit"),
        (tensor("UINT8", ONE, [1] * 63), 400, "the data have 63 numbers, and the shape [1, 8, 8, 1] says 64"),
        (tensor("UINT8", ONE, [256] * 64), 400, "whole numbers from 0 to 255"),
        (tensor("UINT8", ONE, [-1] * 64), 400, "whole numbers from 0 to 255"),
        (tensor("UINT8", ONE, [0.5] * 64), 400, "whole numbers from 0 to 255"),
        (tensor("UINT8", ONE, [10**40] * 64), 400, "whole numbers from 0 to 255"),
        (tensor("UINT8", ONE, ["a"] * 64), 400, "whole numbers from 0 to 255"),
        (tensor("UINT8", ONE, [[1], [1, 2]]), 400, "lists of different lengths"),
        (tensor("UINT8", ONE, None), 400, "whole numbers from 0 to 255"),
        (tensor("FP32", ONE, [0] * 64), 400, "the datatype is 'FP32', should be UINT8 (pixels) or BYTES (image files)"),
        (tensor("BYTES", [1, 2], ["a"]), 400, "the shape of BYTES is [1, 2], should be [N]"),
        (tensor("BYTES", [2], ["aGk="]), 400, "the data have 1 image, and the shape says 2"),
        (tensor("BYTES", [1], ["no base64!"]), 400, "data[0] is no base64"),
        (tensor("BYTES", [1], ["http://a/b.png"]), 400, "data[0] is an address, and none is ever fetched"),
        (tensor("BYTES", [1], "aGk="), 400, "should be a list of image files in base64"),
        (tensor("BYTES", [1], ["aGk="]), 422, "not an image in a known format"),
        (tensor("UINT8", ONE, [0] * 64) | {"outputs": [{"name": "x"}]}, 400, "there is no output 'x': those here are prob"),
        (tensor("UINT8", ONE, [0] * 64) | {"outputs": [{"name": ["x"]}]}, 400, "there is no output"),
        (tensor("UINT8", ONE, [0] * 64) | {"outputs": ["label"]}, 400, "outputs[0] is 'label', should be an object"),
        (tensor("UINT8", ONE, [0] * 64) | {"parameters": [1]}, 400, "parameters should be an object"),
        (tensor("UINT8", ONE, [0] * 64) | {"id": 7}, 400, "id is 7, should be text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_form_of_the_protocol(
    client: TestClient, body: object, status: int, says: str
) -> None:
    answer = client.post(INFER, json=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"] and says in answer.json()["error"]


def test_one_damaged_file_refuses_the_request_and_is_named(client: TestClient, paths: list[Path]) -> None:
    files = [base64.b64encode(data).decode() for data in (paths[0].read_bytes(), cut_picture())]
    answer = client.post(INFER, json=tensor("BYTES", [2], files))
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("image 1: damaged: ")


def test_damaged_binary_data_is_refused(client: TestClient) -> None:
    good, length = binary_request("UINT8", ONE, bytes(64))
    for header in ("-1", "x", "9" * 30, "0" * 5000, str(len(good) + 1), "²"):
        answer = client.post(INFER, content=good, headers={HEADER.encode(): header.encode()})
        assert (answer.status_code, HEADER.lower() in answer.json()["error"]) == (400, True)
    for content, says in (
        (good + b"x", "binary_data_size is 64, and 65 bytes follow the JSON"),
        (good[:-1], "binary_data_size is 64, and 63 bytes follow"),
    ):
        answer = client.post(INFER, content=content, headers={HEADER: str(length)})
        assert answer.status_code == 400 and says in answer.json()["error"]
    for data in (b"\xff\xff\xff\xff", b"\x01", b"\x05\0\0\0abcd", b"\0\0\0\0\0"):
        answer = ask(client, binary_request("BYTES", [3], data))
        assert answer.status_code == 400 and "end within an image file" in answer.json()["error"]
    answer = ask(client, binary_request("BYTES", [1], bytes(4000)))
    assert "the data have 2 images, and the shape says 1" in answer.json()["error"]


def test_another_model_or_version_is_refused(client: TestClient, service: Service) -> None:
    body = tensor("UINT8", ONE, [0] * 64)
    for path, says in (
        ("/v2/models/other", "there is no model 'other': the one here is 'darkroom'"),
        ("/v2/models/darkroom/versions/1", f"has no version '1': '{service.model.hash[:12]}' is loaded"),
    ):
        for answer in (client.post(f"{path}/infer", json=body), client.get(path), client.get(f"{path}/ready")):
            assert answer.status_code == 400 and says in answer.json()["error"]


def test_a_full_queue_says_when_to_come_again(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: object) -> list[Refused]:
        return [Refused("", 503, "300 images wait")]

    monkeypatch.setattr(service, "predict_pixels", full)
    answer = client.post(INFER, json=tensor("UINT8", ONE, [0] * 64))
    assert (answer.status_code, answer.json()) == (503, {"error": "300 images wait"})
    assert int(answer.headers["retry-after"]) >= 1
