"""Great Expectations in a process of its own: the same answer as here, and an error when it dies."""

import sys
from pathlib import Path

import pandas as pd
import psutil
import pytest

from darkroom.checks.checker import Checker
from darkroom.checks.suite import Suite, Validation
from darkroom.runtime.errors import DarkroomError

CHECKS = [
    Suite(("size",)).at_least("size", "smallest", "images.side", 8, "pixels", "fix it"),
    Suite(()).at_most("size", "shift", "change.shift", 0.1, "number", "fix it"),
]
TABLES = {"images": pd.DataFrame({"side": [5, 9]}), "change": pd.DataFrame({"shift": [0.0]})}


def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fresh process, where Great Expectations is not loaded."""
    monkeypatch.delitem(sys.modules, "great_expectations", raising=False)


def ask() -> Validation:
    with Checker() as checker:
        checker.send(CHECKS, TABLES)
        return checker.receive()


def test_a_process_apart_gives_the_same_answer_and_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import great_expectations  # noqa: F401

    here = ask()
    apart(monkeypatch)
    monkeypatch.chdir(tmp_path)
    there = ask()
    assert there == here
    assert [outcome.status for outcome in there.outcomes] == ["failed", "passed"]
    assert there.outcomes[0].stops_the_line and set(there.suites) == {"images", "change"}
    assert "side" in there.documentation["sections"]
    assert not [child for child in psutil.Process().children() if "darkroom.checks" in " ".join(child.cmdline())]


def test_a_process_that_dies_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch)
    with Checker() as checker:
        assert checker._process is not None
        checker._process.kill()
        checker.send(CHECKS, TABLES)
        with pytest.raises(DarkroomError, match=r"ended with exit status -9: it printed nothing"):
            checker.receive()


def test_an_error_on_the_way_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    apart(monkeypatch)
    with pytest.raises(KeyboardInterrupt), Checker() as checker:
        process = checker._process
        raise KeyboardInterrupt
    assert process is not None and process.returncode is not None


def test_what_only_warns_is_shown_as_a_warning() -> None:
    warns = Suite(()).at_least("size", "smallest", "images.side", 8, "pixels", "fix it")
    with Checker() as checker:
        checker.send([warns], TABLES)
        documentation = checker.receive().documentation
    sections = documentation["sections"]
    assert documentation["success"] and "fas fa-exclamation-circle" in sections and "fas fa-times" not in sections
