"""The model stays good, end to end: the service answers darkened photographs, the monitor notices, people are asked for labels,
a candidate is made with them, the gate promotes it, the service answers with it; and all of it is taken back.

The stages run in this process, without DVC and Prefect, whose part tests/flows has: all else is as users run it.
"""

import hashlib
import io
import shutil
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from starlette.testclient import TestClient

from darkroom import registry
from darkroom.bundle.bundle import INDEX, load_bundle
from darkroom.gate.gate import run as run_gate
from darkroom.labelling.__main__ import open_queue
from darkroom.labelling.app import make_app
from darkroom.labels.queue_labels import label_weights, mark_taken, new_labels, read_queue_labels
from darkroom.monitor.watch import watch
from darkroom.monitoring.estimated_accuracy import weighted_accuracy
from darkroom.registry.answers import sample_images
from darkroom.runtime.files import file_hash, write_json
from darkroom.runtime.paths import BUNDLE, INBOX, SURVEY
from darkroom.runtime.revisions import WORKSPACE, open_revision
from tests.conftest import ROOT
from tests.support.label_queue import store_samples
from tests.support.line import colours, run_line
from tests.support.registry import commit, make_git
from tests.support.running import running

CLASSES = ("zero", "one", "été")
SERVED = Path("models/serving/current")
LIGHT = 0.35


def photographs() -> dict[str, tuple[bytes, str]]:
    """SHA-256 → PNG and class of 300 darkened pictures of the three classes that no training had."""
    digits, found = load_digits(), {}
    pictures = [digits.images[digits.target == label][40:140] for label in range(3)]
    for index in range(100):
        for label, name in enumerate(CLASSES):
            buffer = io.BytesIO()
            Image.fromarray(np.round(LIGHT * colours(pictures[label][index])).astype(np.uint8)).save(buffer, "PNG")
            found[hashlib.sha256(buffer.getvalue()).hexdigest()] = (buffer.getvalue(), name)
    return found


def promote(root: Path) -> registry.Version:
    """Let the gate decide on the candidate of a root, and promote it."""
    decision = run_gate(root, home=Path())
    assert decision.outcome == "promote", decision.sentence
    with open_revision(WORKSPACE, root) as workspace:
        images = sample_images(workspace)
    return registry.promote(Path(), commit(Path()), root / BUNDLE, decision.to_dict(), images)


def make_ready(root: Path) -> None:
    """What the gate reads of a root beside what the stages of `run_line` leave."""
    params = (ROOT / "params.yaml").read_text()
    # 24 test images show no difference of one point.
    assert "  margin: 0.01" in params
    (root / "params.yaml").write_text(params.replace("  margin: 0.01", "  margin: 0.3"))
    expectations = [{"name": "images in a class", "status": "passed", "stops": True}]
    (root / "reports/validate").mkdir(parents=True, exist_ok=True)
    write_json(root / "reports/validate/validation.json", {"stops_the_line": False, "expectations": expectations})


def answer_of(address: str, data: bytes) -> dict[str, object]:
    answer = httpx.post(f"{address}/v1/predict", content=data, headers={"Content-Type": "image/png"}, timeout=30)
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def wait_for_bundle(address: str, bundle: Path) -> None:
    """Until the service answers with a bundle."""
    expected, end = file_hash(bundle / INDEX), time.monotonic() + 30
    while httpx.get(f"{address}/v1/model").json()["hash"] != expected:
        assert time.monotonic() < end
        time.sleep(0.1)


def label_all(photos: dict[str, tuple[bytes, str]], count: int) -> None:
    """Answer the first questions of the queue through its page's addresses, as somebody who is always right."""
    bundle = load_bundle(SERVED.resolve())
    queue = open_queue(Path(), bundle, [], "Ann")
    client = TestClient(
        make_app(queue, bundle.classes.names, bundle.preprocessing, "token"), base_url="http://127.0.0.1"
    )
    headers = {"X-Token": "token"}
    state = client.get("/queue", headers=headers).json()
    for _ in range(count):
        sha256 = state["asked"]["sha256"]
        assert client.get(f"/picture/{sha256}", headers=headers).status_code == 200
        state = client.post("/queue/label", json={"sha256": sha256, "label": photos[sha256][1]}, headers=headers).json()
    assert state["given"] == count


def test_the_model_stays_good(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "repository"
    shutil.copytree(shipped, root)
    monkeypatch.chdir(root)
    make_git(root)
    make_ready(root)
    first = promote(Path())
    assert first.number == "v1.0.0"

    photos = photographs()
    with running(root / SERVED, f"--prediction-log={root / 'log'}") as started:
        address = f"http://127.0.0.1:{started.port}"
        answers = {sha256: answer_of(address, data) for sha256, (data, _) in photos.items()}
        store_samples(Path(), [data for data, _ in photos.values()])

        status = watch(Path("log"), SERVED, 1_000_000)
        assert status.kind and status.kind.name == "quality", status.sentence

        label_all(photos, 60)
        labels = read_queue_labels(INBOX)
        assert new_labels(Path()) == 60 and {each.kind for each in labels} >= {"far", "random"}
        low, high = weighted_accuracy(np.array([each.correct for each in labels]), label_weights(labels))[1:]
        assert low <= np.mean([answers[sha256]["label"] == name for sha256, (_, name) in photos.items()]) <= high

        candidate = tmp_path / "candidate"
        (candidate / "data").mkdir(parents=True)
        (candidate / "images").symlink_to(root / "images")
        (candidate / INBOX).symlink_to(root / INBOX)
        # Whose hashes are in the model.
        for code in ("darkroom", "stages"):
            (candidate / code).symlink_to(ROOT / code)
        with monkeypatch.context() as there:
            there.chdir(candidate)
            run_line(candidate, root / "data/split/splits.parquet")
        mark_taken(Path(), candidate / SURVEY)
        make_ready(candidate)
        second = promote(candidate)
        assert (second.number, new_labels(Path())) == ("v1.1.0", 0)
        wait_for_bundle(address, candidate / BUNDLE)

        others = [sha256 for sha256 in photos if sha256 not in {each.sha256 for each in labels}]
        better = sum(answer_of(address, photos[each][0])["label"] == photos[each][1] for each in others)
        before = sum(answers[each]["label"] == photos[each][1] for each in others)
        assert better > before

        assert registry.rollback(Path()).number == "v1.0.0"
        wait_for_bundle(address, root / BUNDLE)
        one = next(iter(photos))
        assert answer_of(address, photos[one][0]) == answers[one]
