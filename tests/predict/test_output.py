"""Answers as text."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.predict.answers import Prediction
from darkroom.predict.listing import Refusal
from darkroom.predict.output import as_csv, as_json, csv_header, for_people
from darkroom.runtime.text import csv_value

PROBABILITIES = {"cat": 0.25, "dog": 0.625, "été": 0.125}
PIXELS = np.zeros((2, 2, 3), np.uint8)


def prediction(path: str = "a.png", threshold: float | None = 0.5) -> Prediction:
    return Prediction(path, "dog", 0.625, threshold, PROBABILITIES, PIXELS)


def test_a_line_for_people() -> None:
    assert for_people(None)(prediction(), None) == "a.png: dog 62.5%"
    assert for_people(2)(prediction(), None) == "a.png: dog 62.5%, cat 25.0%"
    assert for_people(9)(prediction(), "out/1.png") == "a.png: dog 62.5%, cat 25.0%, été 12.5%  (out/1.png)"
    assert for_people(None)(prediction(threshold=0.9), None) == "a.png: not sure (dog 62.5%; it abstains below 90.0%)"
    assert for_people(None)(Refusal("a.png", "the file is empty"), None) == "a.png: error: the file is empty"


def test_a_name_commands_no_terminal() -> None:
    assert for_people(None)(prediction("\x1b[2J\n\udcff.png"), None) == r"\x1b[2J\n\udcff.png: dog 62.5%"


def test_a_table_has_no_formula_and_no_command() -> None:
    assert as_csv(None)(prediction("=1+1\x1b[2J.png"), None) == r"'=1+1\x1b[2J.png,dog,,,dog,0.6250000"


@pytest.mark.parametrize(("threshold", "abstains"), [(None, False), (0.5, False), (0.7, True)])
def test_json_says_whether_to_believe_it(threshold: float | None, abstains: bool) -> None:
    line = as_json(None)(prediction(threshold=threshold), None)
    assert json.loads(line) == {
        "path": "a.png",
        "answer": None if abstains else "dog",
        "label": "dog",
        "confidence": 0.625,
        "abstains": abstains,
        "threshold": threshold,
        "probabilities": PROBABILITIES,
    }


def test_json_has_the_most_probable_classes_first_where_some_are_asked_for() -> None:
    found = json.loads(as_json(2)(prediction(), "out/1.png"))
    assert list(found["probabilities"].items()) == [("dog", 0.625), ("cat", 0.25)]
    assert found["heatmap"] == "out/1.png"
    assert json.loads(as_json(2)(Refusal("a.png", "why"), None)) == {"path": "a.png", "error": "why"}


def test_of_equal_probabilities_the_one_that_answers_is_first() -> None:
    equal = Prediction("a.png", "dog", 0.5, None, {"cat": 0.5, "dog": 0.5}, PIXELS)
    assert for_people(2)(equal, None) == "a.png: dog 50.0%, cat 50.0%"


@given(st.text(), st.integers(1, 5))
def test_a_table_has_a_row_for_each_image_whatever_its_name(name: str, top: int) -> None:
    write = as_csv(top)
    lines = [
        csv_header(top, len(PROBABILITIES)),
        write(prediction(name), None),
        write(prediction(name, threshold=0.9), "out/2.png"),
        write(Refusal(name, "why, then"), None),
    ]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines) + "\n", newline="")))
    assert [csv_value(row["path"]) for row in rows] == 3 * [name]
    assert [row["answer"] for row in rows] == ["dog", "", ""]
    assert [row["heatmap"] or "" for row in rows] == ["", "out/2.png", ""]
    assert [row["error"] for row in rows] == ["", "", "why, then"]
    assert (rows[1]["label_1"], float(rows[1]["probability_1"])) == ("dog", 0.625)
    assert len(rows[0]) == 4 + 2 * min(top, 3)
