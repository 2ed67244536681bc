"""The image in a container, as production runs it: read-only, as nobody, without capabilities, in 512 MB, without a network."""

import base64
import io
import json
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from darkroom.bundle.bundle import INDEX, load_bundle
from darkroom.runtime.files import file_hash
from tests.support.podman import HARDENED, Container, Podman, free_port
from tests.support.tiny_bundle import make_bundle

pytestmark = pytest.mark.slow
# Largest difference of a probability: the batch that an image was in may move its last bits.
CLOSE = 1e-6


def pictures(count: int, seed: int = 0) -> list[bytes]:
    """Image files of several formats and sizes, all different."""
    rng = np.random.default_rng(seed)
    files = []
    for number in range(count):
        height, width = rng.integers(20, 200, 2)
        out = io.BytesIO()
        picture = Image.fromarray(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8))
        picture.resize((int(width), int(height))).save(out, ("PNG", "JPEG", "WEBP", "TIFF")[number % 4])
        files.append(out.getvalue())
    return files


def counter(container: Container, protocol: str, name: str) -> int:
    """A number that the network of a container counts, such as packets that had no way out."""
    titles, values = (
        line.split() for line in container.process("net/snmp").splitlines() if line.startswith(f"{protocol}:")
    )
    return int(values[titles.index(name)])


def status(container: Container) -> dict[str, str]:
    lines = (line.partition(":") for line in container.process("status").splitlines())
    return {name: value.strip() for name, _, value in lines}


def test_it_answers_as_the_bundle_does_and_can_write_nothing(podman: Podman, image: str, packed_bundle: Path) -> None:
    files = pictures(40)
    opened = load_bundle(packed_bundle)
    names = opened.classes.names
    wanted = opened.predict(np.stack([opened.pixels(data) for data in files]))
    vertex = ("--env=AIP_HEALTH_ROUTE=/vertex/health", "--env=AIP_PREDICT_ROUTE=/vertex/predict")
    with podman.container(image, *HARDENED, *vertex) as running:
        running.wait_ready()
        found = status(running)
        assert found["Uid"].split() == ["10001"] * 4 and found["Gid"].split() == ["10001"] * 4
        assert int(found["CapEff"], 16) == int(found["CapBnd"], 16) == 0 and found["NoNewPrivs"] == "1"
        with httpx.Client(base_url=running.url, timeout=30) as client:
            raw = [
                client.post("/v1/predict", content=data, headers={"Content-Type": "image/*"}).json() for data in files
            ]
            form = client.post("/v1/predict", files=[("image", (f"{n}", data)) for n, data in enumerate(files)]).json()
            encoded = [base64.b64encode(data).decode() for data in files]
            text = client.post("/v1/predict", json={"images": encoded}).json()
            parts = [
                client.post("/invocations", content=data, headers={"Content-Type": "image/*"}).json() for data in files
            ]
            instances = {"instances": [{"b64": data} for data in encoded]}
            predictions = client.post("/vertex/predict", json=instances).json()["predictions"]
            for answers in (raw, form, text, parts, predictions):
                rows = [[answer["probabilities"][name] for name in names] for answer in answers]
                np.testing.assert_allclose(rows, wanted, atol=CLOSE)
            pixels = np.stack([opened.pixels(data) for data in files])
            for kind, shape, data in (("BYTES", [40], encoded), ("UINT8", pixels.shape, pixels.ravel().tolist())):
                tensor = {"name": "images", "datatype": kind, "shape": shape, "data": data}
                outputs = client.post("/v2/models/darkroom/infer", json={"inputs": [tensor]}).json()["outputs"]
                (given,) = (each["data"] for each in outputs if each["name"] == "probabilities")
                np.testing.assert_allclose(np.reshape(given, wanted.shape), wanted, atol=CLOSE)
            # Large enough that a form's parts would be written to /tmp, of which there is none.
            noise = np.random.default_rng(0).integers(0, 256, (1600, 1600, 3), np.uint8)
            out = io.BytesIO()
            Image.fromarray(noise).save(out, "PNG")
            large = client.post("/v1/predict", files={"image": ("large.png", out.getvalue())})
            assert large.status_code == 200, large.text
            assert client.post("/v1/predict", content=b"no image").status_code in (415, 422)
        assert int(status(running)["VmHWM"].split()[0]) < 512 << 10
        # What podman itself adds: a line for the user.
        changed = set(podman("diff", running.name).splitlines())
        assert changed <= {"C /etc", "A /etc/passwd", "A /etc/group", "C /etc/passwd", "C /etc/group"}
        assert "Traceback" not in running.log()


def test_the_image_is_small_labelled_and_has_no_shell(podman: Podman, image: str, packed_bundle: Path) -> None:
    (about,) = json.loads(podman("inspect", image))
    assert about["Size"] < 450e6
    assert about["Config"]["User"] == "10001:10001"
    assert about["Labels"]["darkroom.bundle"] == file_hash(packed_bundle / INDEX)
    assert about["Labels"]["darkroom.data_version"] == "d" * 12
    assert about["Labels"]["darkroom.code_version"] == "c" * 12
    assert podman("run", "--rm", "--entrypoint", "/bin/sh", image, "-c", "true", check=False) == ""
    kinds = "import pathlib; print([str(p) for top in ('/bin', '/opt') for p in pathlib.Path(top).glob('*sh')])"
    assert podman("run", "--rm", "--entrypoint", "python3", image, "-c", kinds) == "[]"


def test_the_health_check_sees_a_service_that_hangs(podman: Podman, image: str) -> None:
    with podman.container(image, *HARDENED) as running:
        running.wait_ready()
        assert podman("healthcheck", "run", running.name) == ""
        process = int(running.state("Pid"))
        os.kill(process, signal.SIGSTOP)
        assert podman("healthcheck", "run", running.name, check=False) == "unhealthy"
        os.kill(process, signal.SIGCONT)
        assert podman("healthcheck", "run", running.name) == ""


def test_it_asks_nothing_of_any_network(podman: Podman, image: str) -> None:
    with podman.container(image, *HARDENED, "--network=none", "--env=CI=") as running:
        ask = (
            "import http.client; c = http.client.HTTPConnection('127.0.0.1', {port}); "
            "c.request('{method}', '{path}', {body}); r = c.getresponse(); r.read(); print(r.status)"
        )
        port = running.url.rpartition(":")[2]
        end = time.monotonic() + 60
        command = ("exec", running.name, "python3", "-c")
        while podman(*command, ask.format(port=port, method="GET", path="/readyz", body=None), check=False) != "200":
            assert time.monotonic() < end, running.log()
        picture = repr(pictures(1)[0])
        assert podman(*command, ask.format(port=port, method="POST", path="/v1/predict", body=picture)) == "200"
        assert counter(running, "Ip", "OutNoRoutes") == 0
        # That a look for a name would have been counted.
        look = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53))"
        podman(*command, look, check=False)
        assert counter(running, "Ip", "OutNoRoutes") == 1


def test_a_quota_of_cores_bounds_the_threads(podman: Podman, image: str) -> None:
    # The graph of the tests is so quick that the service itself takes one thread for it, whatever there is.
    for cores in ("1", "2"):
        with podman.container(image, *HARDENED, f"--cpus={cores}") as running:
            running.wait_ready()
            count = "from darkroom.runtime.cores import usable_cores; print(usable_cores())"
            assert podman("exec", running.name, "python3", "-c", count) == cores


def test_no_request_fails_when_it_is_stopped_under_load(podman: Podman, image: str) -> None:
    files = pictures(8)
    found: list[int | str] = []
    found_ready: list[int | str] = []
    ends = threading.Event()

    def ask(client: httpx.Client, method: str, path: str, data: bytes | None = None) -> int | str:
        try:
            return client.request(method, path, content=data).status_code
        except httpx.TransportError as error:
            return repr(error)

    def client(number: int) -> None:
        with httpx.Client(base_url=running.url, timeout=30) as asking:
            while not ends.is_set():
                found.append(ask(asking, "POST", "/v1/predict", files[number]))

    def balancer() -> None:
        # No new request once it says that it is about to end.
        with httpx.Client(base_url=running.url, timeout=30) as asking:
            while (ready := ask(asking, "GET", "/readyz")) == 200:
                time.sleep(0.1)
        ends.set()
        found_ready.append(ready)

    with podman.container(image, *HARDENED) as running:
        running.wait_ready()
        clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for thread in [*clients, watcher := threading.Thread(target=balancer)]:
            thread.start()
        while len(found) < 200:
            time.sleep(0.01)
        podman("kill", "--signal", "TERM", running.name)
        for thread in [*clients, watcher]:
            thread.join(60)
        podman("wait", running.name)
        assert found_ready == [503]
        assert set(found) == {200}
        assert running.state("ExitCode") == "0"
        assert "Traceback" not in running.log()


def test_large_images_fit_into_its_memory_one_after_the_other(podman: Podman, image: str) -> None:
    # Transparent: 9 bytes a pixel while it is decoded.
    blocks = np.random.default_rng(0).integers(0, 256, (10, 10, 4), np.uint8)
    out = io.BytesIO()
    Image.fromarray(blocks.repeat(346, axis=0).repeat(346, axis=1)).save(out, "PNG")
    limits = ("--env=DARKROOM_DECODING_MEMORY=200000000", "--memory-swap=512m")
    found: list[int] = []
    with podman.container(image, *HARDENED, *limits) as running:
        running.wait_ready()

        def ask() -> None:
            found.append(httpx.post(f"{running.url}/v1/predict", content=out.getvalue(), timeout=60).status_code)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [200] * 6
        assert int(status(running)["VmRSS"].split()[0]) < 300 << 10


def test_a_mounted_bundle_is_served_and_a_link_changes_it(podman: Podman, image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for seed, name in enumerate(("first", "second"), 1):
        make_bundle(tmp_path / name, seed=seed)
    (tmp_path / "current").symlink_to("first")
    hashes = {name: file_hash(tmp_path / name / INDEX) for name in ("first", "second")}
    mount = (f"--volume={tmp_path}:/models:ro", "--env=DARKROOM_BUNDLE=/models/current")
    with podman.container(image, *HARDENED, *mount) as running:
        running.wait_ready()
        assert httpx.get(f"{running.url}/v1/model").json()["hash"] == hashes["first"]
        (tmp_path / "next").symlink_to("second")
        (tmp_path / "next").rename(tmp_path / "current")
        end = time.monotonic() + 30
        while httpx.get(f"{running.url}/v1/model").json()["hash"] != hashes["second"]:
            assert time.monotonic() < end, running.log()
            time.sleep(0.1)


def test_sagemaker_starts_it_with_serve_and_its_own_port(podman: Podman, image: str, packed_bundle: Path) -> None:
    packed_bundle.parent.chmod(0o755)
    port = free_port()
    options = (
        f"--volume={packed_bundle}:/opt/ml/model:ro",
        f"--env=SAGEMAKER_BIND_TO_PORT={port}",
        "--env=DARKROOM_PORT=",
    )
    with podman.container(image, *HARDENED, *options, arguments=("serve",)) as running:
        running.url = f"http://127.0.0.1:{port}"
        running.wait_ready()
        assert httpx.get(f"{running.url}/ping").status_code == 200
        answer = httpx.post(f"{running.url}/invocations", content=pictures(1)[0], headers={"Content-Type": "image/png"})
        assert answer.status_code == 200


def test_a_damaged_bundle_is_one_message_and_no_start(podman: Podman, image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    damaged = make_bundle(tmp_path / "export")
    with (damaged / "model.onnx").open("ab") as file:
        file.write(b"x")
    with podman.container(image, *HARDENED, f"--volume={damaged}:/bundle:ro") as running:
        podman("wait", running.name)
        assert running.state("ExitCode") == "1"
        assert "model.onnx was changed: its SHA-256 is" in running.log()
        assert "Traceback" not in running.log()
