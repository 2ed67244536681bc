"""The class list: one hash for one order, and names in the message when two lists differ."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.model.classes import ClassList, load_classes
from darkroom.runtime.errors import DarkroomError


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.lists(st.text(min_size=1), min_size=1, unique=True))
def test_equal_hash_means_equal_list(one: list[str], other: list[str]) -> None:
    assert (ClassList(tuple(one)).hash == ClassList(tuple(other)).hash) == (one == other)


def test_round_trip_and_a_change_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    ClassList(("Hemd", "Müll", "シャツ")).save(path)
    assert load_classes(path).names == ("Hemd", "Müll", "シャツ")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["classes"][0] = "Hose"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DarkroomError, match="changed by hand"):
        load_classes(path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"classes": 1, "hash": ""}'])
def test_a_damaged_file_is_named_with_what_mends_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "classes.json").write_text(content)
    with pytest.raises(DarkroomError, match=r"classes\.json is damaged .*: run `dvc repro ingest`"):
        load_classes(tmp_path / "classes.json")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("cat", "dog"), "unknown here: dog"),
        (("cat",), "missing there: cow"),
        (("cow", "cat"), "in another order: cat, cow"),
    ],
)
def test_what_differs_is_named(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DarkroomError, match=message):
        ClassList(("cat", "cow")).require_same(names, "models/train")
    ClassList(("cat", "cow")).require_same(("cat", "cow"), "models/train")
