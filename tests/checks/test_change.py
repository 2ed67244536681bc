"""Change since the last commit: what counts as a shift, and what the page shows of it."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from darkroom.checks.change import change_results, measure_change
from darkroom.checks.last_commit import last_committed, side_of_table
from darkroom.checks.page import changes_page
from darkroom.checks.summaries import Summaries
from darkroom.runtime.files import write_json
from darkroom.statistics.shift import class_distance


def test_a_small_set_may_move_far_by_chance_and_that_is_no_shift() -> None:
    assert class_distance(np.array([2, 3]), np.array([3, 2])).significant_distance == 0
    assert class_distance(np.array([2000, 3000]), np.array([3000, 2000])).significant_distance == pytest.approx(0.2)


def test_new_and_lost_classes_and_brightness_that_was_not_measured_then() -> None:
    before = pd.DataFrame({"label": ["a"] * 30 + ["b"] * 30, "width": 10, "height": 10, "brightness": None})
    after = pd.DataFrame({"label": ["b"] * 30 + ["c"] * 30, "width": 10, "height": 40, "brightness": 0.5})
    sides = [side_of_table(pa.Table.from_pandas(side)) for side in (before, after)]
    found = measure_change(sides[0], sides[1], "abc1234")
    assert [tuple(each.values()) for each in found.classes] == [("a", 30, 0), ("b", 30, 30), ("c", 0, 30)]
    assert found.distances == {"class_shift": 0.5, "size_shift": 1.0, "brightness_shift": 0.0}


def test_the_page_without_a_commit_has_the_reason(tmp_path: Path) -> None:
    write_json(tmp_path / "changes.json", change_results("no data version has been committed yet", []))
    assert "No data version has been committed yet." in changes_page(changes=tmp_path)


def test_why_git_refuses_a_repository_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    nothing = "no data version has been committed yet"
    now = Summaries([], Path, tmp_path)
    assert last_committed(now) == nothing, "no repository"
    subprocess.run(["git", "init", "-q"], check=True)
    assert last_committed(now) == nothing, "no commit"
    # Git's own switch for its tests: as if the folder were another user's.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert str(last_committed(now)).startswith("git can't show the last commit: detected dubious ownership")
