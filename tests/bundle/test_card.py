"""The model card says when to believe the model, and what is not in the bundle."""

from typing import Any

import numpy as np

from darkroom.bundle.card import model_card
from darkroom.compression.parity import compare
from darkroom.drawing.markdown import code
from darkroom.model.classes import ClassList
from darkroom.model.spec import ModelSpec, Preprocessing
from darkroom.selection.choice import Choice
from darkroom.statistics.temperature import Calibration

SPEC = ModelSpec(
    "resnet18", {}, "imagenet", ClassList(("a <b>", "c")), Preprocessing(8, 1, "pad", "turbo", (0.5,), (0.2,)),
    3, "float32", 0, "d" * 12, "c" * 12,
)  # fmt: skip
CHOICE = Choice(
    {"network": "b"}, "98.0% of 127 training images", [{"network": "b"}, {"network": "b"}, {"network": "c"}], {}
)
ANSWERS = np.eye(2, dtype=np.float32)
PARITY = {"model.onnx": compare(ANSWERS, ANSWERS, np.array([0, 1]))}
METRICS: dict[str, Any] = {
    "confidence": 0.95,
    "test": {"images": 1234}
    | {f"{name}{end}": 0.9 for name in ("accuracy", "macro_f1") for end in ("", "_low", "_high")},
    "calibration": {"after": {"ece": 0.0123, "ece_low": 0.01, "ece_high": 0.02}},
    "abstention": {"test": {"coverage": 0.8765, "precision": 0.9912, "precision_low": 0.98, "precision_high": 0.999}},
    "weak_slices": [],
}
SLICE = {"words": "class c, brightness below 0.21", "accuracy": 0.4, "accuracy_low": 0.3, "accuracy_high": 0.5}


def card(threshold: float | None = 0.75, **changed: Any) -> str:
    calibration = Calibration(1.5, threshold, 0.98, 0.9, 0.985, 0.981, 0.99, 2000)
    return model_card(SPEC, CHOICE, METRICS | changed, calibration, "INT8 is slow", PARITY, "model.onnx", {})


def test_it_says_below_what_it_abstains_and_what_that_came_to() -> None:
    text = card()
    assert "Below a confidence of 0.7500 it abstains." in text
    assert "On the test images it answered 87.65%, and 99.12% of those correctly" in text
    assert "| Expected calibration error | 1.23% | 1.00% to 2.00% |" in text
    assert "started from the weights `imagenet`" in text


def test_it_says_why_this_network() -> None:
    assert "- Chosen among 2 networks: 98.0% of 127 training images\n- Input" in card()


def test_it_says_that_it_never_abstains() -> None:
    text = card(threshold=None)
    assert "It never abstains: on 2,000 validation images" in text
    assert "not sure enough" not in text and "Below a confidence" not in text


def test_weak_slices_are_among_its_limits() -> None:
    text = card(weak_slices=[SLICE | {"images": 60, "rest_accuracy": 0.95}])
    assert "- It does worse on `class c, brightness below 0.21`: 40.0% (30.0% to 50.0%) of 60 test images," in text
    assert "does worse" not in card()


def test_what_was_left_out_is_listed_with_its_reason() -> None:
    calibration = Calibration(1.0, None, 0.98, 1.0, 0.9, 0.8, 0.95, 50)
    left_out = {"model.int8.tflite": "labels differ on 9.00%, 2.00% allowed"}
    text = model_card(SPEC, CHOICE, METRICS, calibration, "INT8 is slow", PARITY, "model.onnx", left_out)
    assert "`model.int8.tflite` is not here: labels differ on 9.00%, 2.00% allowed." in text


def test_names_are_code_which_no_reader_interprets() -> None:
    assert "0. `a <b>`\n1. `c`\n" in card()


def test_no_name_is_html_a_picture_a_heading_or_a_fence() -> None:
    names = ["<img src=x onerror=alert(1)>", "![p](https://e.x/p.png)", "a\n# heading", "```", "\x1b[31m", "a`b"]
    lines = [f"{place}. {code(name)}" for place, name in enumerate(names)]
    assert lines == [
        "0. `<img src=x onerror=alert(1)>`", "1. `![p](https://e.x/p.png)`", r"2. `a\n# heading`", "3. ```` ``` ````",
        r"4. `\x1b[31m`", "5. `` a`b ``",
    ]  # fmt: skip
