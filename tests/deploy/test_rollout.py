"""A rolling change of two containers behind nginx: no request fails, and a new image that does not start changes nothing."""

import contextlib
import io
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from darkroom.bundle.bundle import INDEX, load_bundle
from darkroom.runtime.files import file_hash
from tests.conftest import ROOT
from tests.deploy.conftest import build
from tests.support.podman import Podman, free_port
from tests.support.tiny_bundle import make_bundle

pytestmark = pytest.mark.slow
CLIENTS = 8


@pytest.fixture
def second_bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "second", seed=7, size=32, channels=3)


@pytest.fixture
def second_image(podman: Podman, image: str, second_bundle: Path) -> Iterator[str]:
    """As `image`, with another bundle: all layers but one are the same."""
    name = f"{image}:second"
    build(podman, second_bundle, name)
    yield name
    podman("rmi", "--force", name, check=False)


class Rollout:
    """nginx and the script that changes the replicas, on free ports.

    Args:
        podman: runs the replicas.
        folder: for the files, with other ports in them.
    """

    def __init__(self, podman: Podman, folder: Path) -> None:
        self._podman, self._folder = podman, folder
        self.ports = {port: free_port() for port in ("8080", "8081", "8082")}
        for name in ("nginx.conf", "rollout.sh"):
            text = (ROOT / "deploy/nginx" / name).read_text()
            for port, free in self.ports.items():
                text = text.replace(port, str(free))
            (folder / name).write_text(text.replace("/tmp/darkroom-nginx", f"{folder}/nginx"))
        self.url = f"http://127.0.0.1:{self.ports['8080']}"

    def change(self, image: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        command = ["sh", str(self._folder / "rollout.sh"), f"localhost/{image}", *options]
        return subprocess.run(command, capture_output=True, text=True, env=self._podman.environment)

    @contextlib.contextmanager
    def nginx(self) -> Iterator["Rollout"]:
        """Run nginx; the replicas are removed afterwards."""
        # Its workers run as another user, to whom pytest's own folders are closed.
        self._folder.chmod(0o755)
        process = subprocess.Popen(["nginx", "-p", self._folder, "-c", self._folder / "nginx.conf"])
        try:
            yield self
        finally:
            process.terminate()
            process.wait()
            for port in ("8081", "8082"):
                self._podman("rm", "--force", "--time", "0", f"darkroom-{self.ports[port]}", check=False)


@contextlib.contextmanager
def asking(url: str, picture: bytes) -> Iterator[list[tuple[str, str]]]:
    """Clients that ask without a break; yields what they get: the hash of the model, or the failure, and the answer."""
    found: list[tuple[str, str]] = []
    ended = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not ended.is_set():
                try:
                    answer = client.post("/v1/predict", content=picture)
                    found.append((answer.headers.get("X-Model-Hash", f"{answer.status_code}"), answer.text))
                except httpx.TransportError as error:
                    found.append((repr(error), ""))

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_no_request_fails_while_the_image_changes(
    podman: Podman, image: str, packed_bundle: Path, second_image: str, second_bundle: Path
) -> None:
    if not shutil.which("nginx"):
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(out, "PNG")
    models = {file_hash(folder / INDEX): load_bundle(folder) for folder in (packed_bundle, second_bundle)}
    first, second = models
    with tempfile.TemporaryDirectory() as folder, Rollout(podman, Path(folder)).nginx() as rollout:
        started = rollout.change(image)
        assert started.returncode == 0, started.stderr
        with asking(rollout.url, out.getvalue()) as found:
            while len(found) < 100:
                time.sleep(0.01)
            # One mistake in the settings: the first replica does not start, and the second goes on.
            refused = rollout.change(second_image, "--env", "DARKROOM_QUEUE=0")
            assert refused.returncode == 1
            assert "DARKROOM_QUEUE is '0'" in refused.stderr and "is not ready with" in refused.stderr
            assert {model for model, _ in found} == {first}
            changed = rollout.change(second_image)
            assert changed.returncode == 0, changed.stderr
            count = len(found)
            while len(found) < count + 100:
                time.sleep(0.01)
    assert {model for model, _ in found} == {first, second}
    assert {model for model, _ in found[-50:]} == {second}
    # Each answer is wholly that of the model which it names.
    for model, text in {each[:2] for each in found}:
        bundle = models[model]
        (wanted,) = bundle.predict(bundle.pixels(out.getvalue())[None])
        values = [float(each) for each in re.findall(r":([\d.e-]+)", text.partition('"probabilities"')[2])]
        np.testing.assert_allclose(values, wanted, atol=1e-6)
