"""Checks of a service: images go in as many requests as its limits ask for, and a service that differs is named."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from darkroom.runtime.errors import DarkroomError
from serving.app import make_app
from serving.asking import BYTES, requests
from serving.parity import FormParity, compare_answers, http_sentence, require_parity
from serving.service import Service
from tests.conftest import ROOT
from tests.support.live import live


def test_images_go_in_as_many_requests_as_the_limits_ask_for() -> None:
    pixels = np.arange(131, dtype=np.uint8).reshape(131, 1, 1, 1)
    small = list(requests([b"x"] * 131, pixels))
    assert [len(each.files) for each in small] == [64, 64, 3]
    assert np.array_equal(np.concatenate([each.pixels[: len(each.files)] for each in small]), pixels)
    half = bytes(BYTES // 2)
    assert [len(each.files) for each in requests([half, half, b"x", half, bytes(2 * BYTES)], pixels[:5])] == [2, 2, 1]


def test_answers_are_compared_by_class_and_by_the_largest_difference() -> None:
    expected = np.array([[0.6, 0.4], [0.1, 0.9]], np.float32)
    found = compare_answers(expected, np.array([[0.45, 0.55], [0.1, 0.9]], np.float32))
    assert (found.images, found.label_agreement) == (2, 0.5)
    assert found.largest_difference == pytest.approx(0.15)


@pytest.mark.parametrize("largest", [0.0011, float("nan")])
def test_a_form_that_differs_is_named_with_the_numbers(largest: float) -> None:
    found = {"raw": FormParity(10, 1.0, 0.0009), "JSON": FormParity(10, 0.9, largest)}
    with pytest.raises(
        DarkroomError, match=r"(?s)http://x does not answer.*- JSON: a prob.*allowed; labels agree on 90"
    ) as raised:
        require_parity(found, "http://x")
    assert "raw" not in str(raised.value)
    sentence = http_sentence(found | {"JSON": FormParity(7, 0.95, 0.0002)})
    assert "in 2 forms, for up to 10 test images, it gives the same classes for 95.00%, and no" in sentence
    assert sentence.endswith("no probability differs by more than 0.0009")


@pytest.mark.slow
def test_a_service_that_runs_is_checked_in_every_form(shipped: Path) -> None:
    def check(address: str, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "serving.check", address, *options]
        environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
        return subprocess.run(command, cwd=shipped, env=environment, capture_output=True, text=True, check=False)

    app = make_app(Service(shipped / "models/export"), environment={"AIP_PREDICT_ROUTE": "/vertex/predict"})
    with live(app) as address:
        done = check(address)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("11 images  same class 100.00%  largest difference 0.000000") == 6
        assert "Vertex AI  11 images  same class 100.00%" in check(address, "--forms", "Vertex AI").stdout
        assert "no form nosuch" in check(address, "--forms", "raw,nosuch").stderr
    assert "can't be reached" in check(address).stderr
