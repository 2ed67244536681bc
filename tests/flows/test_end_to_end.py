"""What a team types, from a served model to a better one and back: every part a process of its own, in a clone, on digits.

`tests/test_stays_good.py` has the same story with the stages in one process; here DVC, Prefect and git have their part.
"""

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from darkroom.runtime.git import git
from darkroom.runtime.paths import INBOX, SAMPLES
from darkroom.settings.write import with_settings
from tests.support.clones import clone_repository
from tests.support.repository import wait_for
from tests.support.running import running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]

PHOTOGRAPHS, LABELS, LIGHT = 300, 60, 0.35
SETTINGS = {
    "ingest.source": "digits",
    "train.network": "small_image_net",
    "train.flip": False,
    "train.epochs": 3,
    "evaluate.robustness_images": 0,
    # 180 test images show no difference of one point, and a busy machine no latency.
    "gate.margin": 0.2,
    "gate.max_slowdown": 20.0,
    "quantize.min_speedup": 1000.0,
}


def photographs() -> dict[str, tuple[bytes, str]]:
    """SHA-256 → PNG and class of darkened digits."""
    digits, found = load_digits(), {}
    for picture, label in zip(digits.images[::5][:PHOTOGRAPHS], digits.target[::5], strict=False):
        buffer = io.BytesIO()
        Image.fromarray(np.round(LIGHT * picture * (255 / 16)).astype(np.uint8)).save(buffer, "PNG")
        found[hashlib.sha256(buffer.getvalue()).hexdigest()] = (buffer.getvalue(), str(label))
    return found


class Typed:
    """A clone in which commands are typed."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root, self.environment = root, environment
        clone_repository(root)
        params = root / "params.yaml"
        params.write_text(with_settings(params.read_text(), SETTINGS))
        git(root, "commit", "-q", "-a", "-m", "Digits")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.root,
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, *arguments: str) -> str:
        printed, _ = (process := self.start(*arguments)).communicate()
        assert process.returncode == 0, printed
        return printed

    def give_labels(self, photos: dict[str, tuple[bytes, str]]) -> None:
        """Answer the questions of `make label` as somebody who is always right."""
        process = self.start("darkroom.labelling", "--port=0", "--reviewer=Ann")
        assert process.stdout
        address = next(line.strip() for line in process.stdout if "http://" in line)
        queue, token = address.split("/#")
        with httpx.Client(base_url=queue, headers={"X-Token": token}, timeout=60) as client:
            state = client.get("/queue").json()
            for _ in range(LABELS):
                sha256 = state["asked"]["sha256"]
                state = client.post("/queue/label", json={"sha256": sha256, "label": photos[sha256][1]}).json()
        assert state["given"] == LABELS
        process.terminate()
        process.communicate()


def test_from_dark_photographs_to_another_model_and_back(
    tmp_path: Path, user_environment: dict[str, str], prefect_api: str
) -> None:
    typed, photos = Typed(tmp_path / "darkroom", user_environment | {"PREFECT_API_URL": prefect_api}), photographs()
    assert "promoted, v1.0.0: " in typed.type("flows.retrain_now", "--reason=the first")
    log, samples = (f"--{name}={typed.root / path}" for name, path in (("prediction-log", "log"), ("samples", SAMPLES)))
    current, kept = typed.root / "models/serving/current", f"--samples-per-day={PHOTOGRAPHS}"
    with (
        running(current, log, samples, kept) as started,
        httpx.Client(base_url=f"http://127.0.0.1:{started.port}", timeout=60) as service,
    ):

        def model() -> str:
            return str(service.get("/v1/model").json()["hash"])

        def answers() -> list[dict[str, object]]:
            given = [service.post("/v1/predict", content=data) for data, _ in photos.values()]
            return [{name: each.raise_for_status().json()[name] for name in ("label", "confidence")} for each in given]

        first, before = model(), answers()
        seen = typed.root / SAMPLES

        def enough_samples() -> bool:
            found = len(list(seen.rglob("*.png"))) >= LABELS
            # On a busy machine the writer drops what waits too long, so the client sends its images again.
            if not found:
                answers()
            return found

        wait_for(enough_samples)
        typed.type("darkroom.monitor")
        status = json.loads((typed.root / "reports/monitor/status.json").read_text())
        assert status["kind"] == "quality" and status["sentence"].startswith("Images are darker since ")

        typed.give_labels(photos)
        assert "promoted, v1.1.0: " in typed.type("flows.retrain_now", f"--reason={LABELS} labels")
        wait_for(lambda: model() != first)
        assert answers() != before

        typed.type("flows.rollback")
        wait_for(lambda: model() == first)
        assert answers() == before
    decided = json.loads(git(typed.root, "show", "classifier@v1.1.0:reports/gate/decision.json"))
    assert decided["outcome"] == "promote" and decided["champion"]["version"] == "v1.0.0"
    assert git(typed.root, "status", "--porcelain") == ""
    assert len(list((typed.root / INBOX).rglob("*.png"))) == LABELS
