"""The command as a process: it prints where the page is, and Ctrl-C ends it with what came of it."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.support.label_queue import make_reference_bundle, png, store_samples


def start(root: Path, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "darkroom.labelling", "--bundle", "bundle", "--port", "0", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_ctrl_c_ends_it_with_the_number_of_labels(tmp_path: Path) -> None:
    make_reference_bundle(tmp_path / "bundle", ("cat", "dog"))
    store_samples(tmp_path, [png(seed) for seed in range(3)])
    process = start(tmp_path, "--reviewer", "Ann")
    assert process.stdout and process.stdout.readline() == "label: 3 images to label, as Ann, until Ctrl-C\n"
    found = re.fullmatch(r"  (http://127\.0\.0\.1:\d+)/#(\S+)\n", process.stdout.readline())
    assert found
    headers = {"X-Token": found[2]}
    asked = httpx.get(f"{found[1]}/queue", headers=headers).json()["asked"]
    body = {"sha256": asked["sha256"], "label": "dog"}
    assert httpx.post(f"{found[1]}/queue/label", json=body, headers=headers).status_code == 200
    process.send_signal(signal.SIGINT)
    printed, wrong = process.communicate(timeout=60)
    assert printed == "label: 1 image of this queue labelled, in data/inbox: make run or make retrain takes them\n"
    assert process.returncode == 0 and "Traceback" not in wrong


@pytest.mark.slow
def test_an_empty_queue_says_what_fills_it(tmp_path: Path) -> None:
    make_reference_bundle(tmp_path / "bundle", ("cat", "dog"))
    printed, wrong = start(tmp_path).communicate(timeout=60)
    assert printed == "" and wrong.startswith("error: nothing waits for a label: no candidate is held")
