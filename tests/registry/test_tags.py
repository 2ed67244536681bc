"""Tags in GTO's grammar: which are versions, in which order, and that all of a set are made or none."""

from pathlib import Path
from typing import Any

import pytest

from darkroom.registry.tags import assignment_tag, create_tags, delete_tags, read_tags, version_tag, write_tags
from darkroom.runtime.errors import DarkroomError
from darkroom.runtime.git import git
from tests.support.registry import make_git


def tag(root: Path, *names: str, **content: Any) -> None:
    create_tags(
        root, write_tags(root, git(root, "rev-parse", "HEAD"), {name: (f"about {name}", content) for name in names})
    )


def test_versions_are_ordered_by_number_and_assignments_by_counter(tmp_path: Path) -> None:
    make_git(tmp_path)
    tag(tmp_path, "classifier@v1.10.0", "classifier@v1.2.0", "classifier#champion#10", "classifier#champion#9")
    registered, assignments = read_tags(tmp_path)
    assert [found.name for found in registered] == ["classifier@v1.2.0", "classifier@v1.10.0"]
    assert [found.order for found in assignments] == [(9,), (10,)]
    assert assignment_tag(assignments) == "classifier#champion#11" and assignment_tag([]) == "classifier#champion#1"


def test_a_tag_keeps_its_title_and_its_content(tmp_path: Path) -> None:
    make_git(tmp_path)
    tag(tmp_path, "classifier@v1.0.0", decision={"sentence": "été ≥ hiver", "reasons": []})
    ((found,), _) = read_tags(tmp_path)
    assert found.title == "about classifier@v1.0.0"
    assert found.content == {"decision": {"sentence": "été ≥ hiver", "reasons": []}}
    assert found.commit == git(tmp_path, "rev-parse", "HEAD")


def test_other_tags_are_neither(tmp_path: Path) -> None:
    make_git(tmp_path)
    for name in (
        *("classifier@v1.2", "classifier@v01.0.0", "classifier@v1.0.0!", "classifier@deprecated", "other@v1.0.0"),
        *("classifier#champion", "classifier#staging#1", "classifier#champion!#2", "classifier@v1.0.0-rc1"),
    ):
        git(tmp_path, "tag", "-a", "-m", "x", name)
    assert read_tags(tmp_path) == ([], [])


def test_lightweight_tags_count_for_nothing_as_with_gto(tmp_path: Path) -> None:
    make_git(tmp_path)
    git(tmp_path, "tag", "classifier@v1.0.0")
    assert read_tags(tmp_path) == ([], [])


def test_all_tags_are_made_or_none_and_another_ones_stay(tmp_path: Path) -> None:
    make_git(tmp_path)
    git(tmp_path, "tag", "classifier#champion#1")
    head = git(tmp_path, "rev-parse", "HEAD")
    objects = write_tags(tmp_path, head, {"classifier@v1.0.0": ("a", {}), "classifier#champion#1": ("b", {})})
    with pytest.raises(DarkroomError, match="update-ref"):
        create_tags(tmp_path, objects)
    delete_tags(tmp_path, objects)
    assert git(tmp_path, "tag").splitlines() == ["classifier#champion#1"]


def test_no_two_tags_have_the_same_second(tmp_path: Path) -> None:
    make_git(tmp_path)
    for number in range(3):
        tag(tmp_path, f"classifier#champion#{number}")
    seconds = [found.seconds for found in read_tags(tmp_path)[1]]
    assert len(set(seconds)) == 3 and seconds == sorted(seconds)


def test_a_number_that_is_none_is_refused() -> None:
    for number in ("1.4.0", "v1.4", "latest", "v1.4.0\n", ""):
        with pytest.raises(DarkroomError, match=r"is no version: write it as v1.4.0"):
            version_tag(number)
